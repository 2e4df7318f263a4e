package product

import (
	"bytes"
	"encoding/binary"
	"image"
)

// Markers of a JPEG, ITU-T T.81 table B.1, and what of Exif (CIPA DC-008, 4.5 and 4.6) says which way is up.
const (
	markerAPP1 = 0xe1
	markerSOS  = 0xda

	tagOrientation = 0x0112
	typeShort      = 3
	upsideUp       = 1 // the other values, 2 to 8, are turned or mirrored
)

// orientation returns how a JPEG says that it is to be turned, 1 to 8 as Exif numbers it; 1 where it does not say, or not clearly.
// Telephones write every photograph as their sensor lies.
func orientation(b []byte) int {
	for at := 2; at+4 <= len(b) && b[at] == 0xff && b[at+1] != markerSOS; {
		end := at + 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		if end < at+4 || end > len(b) {
			break
		}
		if tiff, ok := bytes.CutPrefix(b[at+4:end], []byte("Exif\x00\x00")); ok && b[at+1] == markerAPP1 {
			return orientationOf(tiff)
		}
		at = end
	}
	return upsideUp
}

// orientationOf reads the first directory of a TIFF header.
func orientationOf(tiff []byte) int {
	if len(tiff) < 8 {
		return upsideUp
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return upsideUp
	}
	entries := tiff[at+2:]
	for n := order.Uint16(tiff[at:]); n > 0 && len(entries) >= 12; n-- {
		if order.Uint16(entries) == tagOrientation && order.Uint16(entries[2:]) == typeShort {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
		}
		entries = entries[12:]
	}
	return upsideUp
}

// upright turns a picture as its orientation says.
func upright(from *image.NRGBA, orientation int) *image.NRGBA {
	if orientation == upsideUp {
		return from
	}
	w, h := from.Bounds().Dx(), from.Bounds().Dy()
	width, height := w, h
	if orientation >= 5 { // rows become columns
		width, height = h, w
	}
	to := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			sx, sy := source(orientation, x, y, w, h)
			to.SetNRGBA(x, y, from.NRGBAAt(sx, sy))
		}
	}
	return to
}

// source returns where the pixel stands that comes to x, y.
func source(orientation, x, y, w, h int) (int, int) {
	switch orientation {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}
