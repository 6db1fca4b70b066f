package config

import (
	"bytes"
	"errors"

	"golang.org/x/text/encoding/unicode"
)

// Text is the content of a text file in UTF-8, without a byte order mark. One in UTF-16 is recognized by its mark, with
// which PowerShell's > writes it. What is neither is left as it is.
func Text(data []byte) ([]byte, error) {
	order := unicode.LittleEndian
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(data, []byte{0, 0, 0xFE, 0xFF}):
		return nil, errors.New("is in UTF-32, which is not read: save it in UTF-8")
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		order = unicode.BigEndian
	default:
		return bytes.TrimPrefix(data, []byte("\ufeff")), nil
	}
	text, err := unicode.UTF16(order, unicode.ExpectBOM).NewDecoder().Bytes(data)
	if err != nil || len(data)%2 != 0 {
		return nil, errors.New("is in UTF-16 that was cut off: write it anew, in UTF-8")
	}
	return text, nil
}
