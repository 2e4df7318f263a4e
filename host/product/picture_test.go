package product_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/product"
)

// corners is a picture whose four corners have colours of their own.
func corners(w, h int) *image.NRGBA {
	i := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{A: 255}
			if x >= w/2 {
				c.R = 255
			}
			if y >= h/2 {
				c.G = 255
			}
			i.SetNRGBA(x, y, c)
		}
	}
	return i
}

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, encode(&b))
	return b.Bytes()
}

func asPNG(t testing.TB, i image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, i) })
}

func asJPEG(t testing.TB, i image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, i, nil) })
}

func asGIF(t testing.TB, i image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, i, nil) })
}

func TestPicturesAreEncodedAnew(t *testing.T) {
	secret := []byte("GPS 45.4642 9.1900")
	comment := append([]byte{0xff, 0xfe, 0, byte(len(secret) + 2)}, secret...)
	photo := asJPEG(t, corners(64, 32))
	photo = append(append(append([]byte{}, photo[:2]...), comment...), photo[2:]...)
	for name, upload := range map[string][]byte{
		"PNG": append(asPNG(t, corners(64, 32)), secret...), "JPEG": photo, "GIF": append(asGIF(t, corners(64, 32)), secret...),
	} {
		content, kind, w, h, err := product.Remake(upload)
		require.NoError(t, err, name)
		assert.Equal(t, [2]int{64, 32}, [2]int{w, h}, name)
		assert.Equal(t, "image/png", kind, name)
		assert.NotContains(t, string(content), string(secret), name)
		got, _, err := image.Decode(bytes.NewReader(content))
		require.NoError(t, err)
		r, g, _, _ := got.At(60, 2).RGBA()
		assert.True(t, r > 0xf000 && g < 0x1000, "%s: the right upper corner is red", name)
	}
}

func TestLargePicturesAreScaled(t *testing.T) {
	for _, row := range []struct{ w, h, wantW, wantH int }{
		{2048, 1024, 1024, 512}, {1000, 4000, 256, 1024}, {1024, 1024, 1024, 1024}, {1, 16384, 1, 1024}, {3, 2, 3, 2},
	} {
		_, _, w, h, err := product.Remake(asPNG(t, image.NewGray(image.Rect(0, 0, row.w, row.h))))
		require.NoError(t, err)
		assert.Equal(t, [2]int{row.wantW, row.wantH}, [2]int{w, h})
	}
}

func TestAPhotographBecomesAJPEG(t *testing.T) {
	noise := image.NewNRGBA(image.Rect(0, 0, 700, 700))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = byte(random.Uint32())
	}
	content, kind, _, _, err := product.Remake(asPNG(t, noise))
	require.NoError(t, err)
	assert.Equal(t, "image/jpeg", kind)
	assert.Less(t, len(content), 1<<20)
}

func TestTransparencyStays(t *testing.T) {
	content, _, _, _, err := product.Remake(asPNG(t, image.NewNRGBA(image.Rect(0, 0, 8, 8))))
	require.NoError(t, err)
	got, err := png.Decode(bytes.NewReader(content))
	require.NoError(t, err)
	_, _, _, alpha := got.At(3, 3).RGBA()
	assert.Zero(t, alpha)
}

// exif puts an orientation in front of a JPEG's other segments.
func exif(photo []byte, order binary.AppendByteOrder, name string, orientation uint16) []byte {
	tiff := order.AppendUint16([]byte(name), 42)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 1)
	tiff = order.AppendUint16(order.AppendUint16(tiff, 0x0112), 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, orientation)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	body := append([]byte("Exif\x00\x00"), tiff...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return bytes.Join([][]byte{photo[:2], segment, body, photo[2:]}, nil)
}

// Each turn is checked by where black (the left upper corner as the sensor saw it) and red (the right upper one) come to lie.
func TestPhotographsStandUpright(t *testing.T) {
	photo := asJPEG(t, corners(64, 32))
	const near, far = 4, -4
	for orientation, at := range map[uint16][2][2]int{
		1: {{near, near}, {far, near}}, 2: {{far, near}, {near, near}}, 3: {{far, far}, {near, far}}, 4: {{near, far}, {far, far}},
		5: {{near, near}, {near, far}}, 6: {{far, near}, {far, far}}, 7: {{far, far}, {far, near}}, 8: {{near, far}, {near, near}},
		9: {{near, near}, {far, near}},
	} {
		for _, upload := range [][]byte{exif(photo, binary.LittleEndian, "II", orientation), exif(photo, binary.BigEndian, "MM", orientation)} {
			content, _, w, h, err := product.Remake(upload)
			require.NoError(t, err)
			assert.Equal(t, orientation >= 5 && orientation <= 8, h > w)
			got, err := png.Decode(bytes.NewReader(content))
			require.NoError(t, err)
			pixel := func(p [2]int) (bool, bool) {
				r, g, _, _ := got.At((p[0]+w)%w, (p[1]+h)%h).RGBA()
				return r > 0x8000, g > 0x8000
			}
			red, green := pixel(at[0])
			assert.False(t, red || green, "black, orientation %d", orientation)
			red, green = pixel(at[1])
			assert.True(t, red && !green, "red, orientation %d", orientation)
		}
	}
}

// huge is a PNG that says it has this size and holds next to nothing.
func huge(w, h uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), w), h)
	header = append(header, 8, 6, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
}

func TestHostilePicturesAreRefused(t *testing.T) {
	good := asPNG(t, corners(8, 8))
	for _, row := range []struct {
		name   string
		upload []byte
		want   product.PictureReason
	}{
		{"nothing", nil, product.PictureFormat},
		{"SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), product.PictureFormat},
		{"WebP", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), product.PictureFormat},
		{"HTML behind a PNG's first bytes", append([]byte("\x89PNG\r\n\x1a\n"), "<script>"...), product.PictureDamaged},
		{"half a PNG", good[:len(good)/2], product.PictureDamaged},
		{"half a JPEG", asJPEG(t, corners(8, 8))[:300], product.PictureDamaged},
		{"too many bytes", make([]byte, product.MaxUpload+1), product.PictureTooLarge},
		{"a bomb", huge(60000, 60000), product.PicturePixels},
		{"a long bomb", huge(product.MaxLength+1, 1), product.PicturePixels},
		{"a bomb that overflows", huge(1<<31-1, 1<<31-1), product.PictureDamaged},
		{"no pixels", huge(0, 5), product.PictureDamaged},
	} {
		_, _, _, _, err := product.Remake(row.upload)
		bad, ok := errors.AsType[*product.BadPicture](err)
		require.True(t, ok, "%s: %v", row.name, err)
		assert.Equal(t, row.want, bad.Reason, "%s: %v", row.name, err)
	}
}

// FuzzPicture holds that whatever comes in, what comes out is a small picture of ours, or *BadPicture.
func FuzzPicture(f *testing.F) {
	f.Add(asPNG(f, corners(6, 4)))
	f.Add(asGIF(f, corners(6, 4)))
	photo := asJPEG(f, corners(6, 4))
	f.Add(photo)
	f.Add(exif(photo, binary.LittleEndian, "II", 6))
	f.Add(huge(60000, 60000))
	f.Fuzz(func(t *testing.T, upload []byte) {
		if config, _, err := image.DecodeConfig(bytes.NewReader(upload)); err == nil && config.Width*config.Height > 1<<20 {
			t.Skip("costs time and tells nothing new")
		}
		content, kind, w, h, err := product.Remake(upload)
		if err != nil {
			if _, ok := errors.AsType[*product.BadPicture](err); !ok {
				t.Fatalf("%v", err)
			}
			return
		}
		config, name, err := image.DecodeConfig(bytes.NewReader(content))
		if err != nil || "image/"+name != kind || config.Width != w || config.Height != h || max(w, h) > product.MaxSide || min(w, h) < 1 {
			t.Fatalf("%v %v %d×%d of %d×%d", err, kind, config.Width, config.Height, w, h)
		}
	})
}
