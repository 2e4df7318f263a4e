package product

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

// Limits of a picture.
const (
	MaxUpload = 2 << 20  // bytes as it came
	MaxPixels = 16 << 20 // of the picture as it came; the worst, a progressive JPEG of four colours, takes 450 MiB for a moment
	MaxLength = 16 << 10 // pixels of its longer side
	MaxSide   = 1024     // pixels of what is kept
)

// maxPNG is up to which size, in bytes, a picture stays a PNG. What is larger is a photograph, and becomes a JPEG.
const maxPNG = 400 << 10

const quality = 85 // of a JPEG

// BadPicture says why something is no picture for us.
type BadPicture struct {
	Reason PictureReason
	Err    error // of the decoder, where it has one
}

// PictureReason says so in one word.
type PictureReason string

// The reasons.
const (
	PictureTooLarge PictureReason = "too_large" // bytes
	PictureFormat   PictureReason = "format"    // neither PNG, JPEG nor GIF
	PictureDamaged  PictureReason = "damaged"
	PicturePixels   PictureReason = "pixels" // too many, or none
)

func (b *BadPicture) Error() string {
	if b.Err == nil {
		return fmt.Sprintf("picture: %s", b.Reason)
	}
	return fmt.Sprintf("picture: %s: %v", b.Reason, b.Err)
}

func (b *BadPicture) Unwrap() error { return b.Err }

// format is a picture format that we read. The formats that other packages registered with package image are none of ours.
type format struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = []format{
	{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
	{"GIF87a", gif.DecodeConfig, gif.Decode},
	{"GIF89a", gif.DecodeConfig, gif.Decode},
}

// picture is one that was encoded by us.
type picture struct {
	bytes         []byte
	kind          string
	width, height int
}

// remake decodes a picture and encodes its pixels anew. The size that it says it has is looked at before anything is decoded.
func remake(upload []byte) (picture, error) {
	if len(upload) > MaxUpload {
		return picture{}, &BadPicture{Reason: PictureTooLarge}
	}
	for _, f := range formats {
		if bytes.HasPrefix(upload, []byte(f.magic)) {
			return f.remake(upload)
		}
	}
	return picture{}, &BadPicture{Reason: PictureFormat}
}

func (f format) remake(upload []byte) (picture, error) {
	config, err := f.config(bytes.NewReader(upload))
	if err != nil {
		return picture{}, &BadPicture{PictureDamaged, err}
	}
	if w, h := config.Width, config.Height; min(w, h) <= 0 || max(w, h) > MaxLength || w*h > MaxPixels {
		return picture{}, &BadPicture{Reason: PicturePixels}
	}
	decoded, err := f.decode(bytes.NewReader(upload))
	if err != nil {
		return picture{}, &BadPicture{PictureDamaged, err}
	}
	if decoded.Bounds().Empty() {
		return picture{}, &BadPicture{Reason: PicturePixels}
	}
	return encode(upright(shrink(decoded), orientation(upload)))
}

// shrink copies a picture, smaller where a side is longer than MaxSide.
func shrink(from image.Image) *image.NRGBA {
	w, h := from.Bounds().Dx(), from.Bounds().Dy()
	if longest := max(w, h); longest > MaxSide {
		w, h = max(1, w*MaxSide/longest), max(1, h*MaxSide/longest)
	}
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
	return to
}

// encode makes a PNG, or a JPEG of what is too large for one.
func encode(i *image.NRGBA) (picture, error) {
	p := picture{kind: "image/png", width: i.Bounds().Dx(), height: i.Bounds().Dy()}
	var b bytes.Buffer
	if err := png.Encode(&b, i); err != nil {
		return picture{}, &BadPicture{PictureDamaged, err}
	}
	if b.Len() > maxPNG {
		opaque := image.NewRGBA(i.Bounds())
		draw.Draw(opaque, opaque.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(opaque, opaque.Bounds(), i, image.Point{}, draw.Over)
		b.Reset()
		if err := jpeg.Encode(&b, opaque, &jpeg.Options{Quality: quality}); err != nil {
			return picture{}, &BadPicture{PictureDamaged, err}
		}
		p.kind = "image/jpeg"
	}
	p.bytes = b.Bytes()
	return p, nil
}
