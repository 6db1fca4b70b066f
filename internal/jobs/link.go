package jobs

import (
	"crypto/sha256"
	"encoding/hex"
)

// maxLinkKey is how long a key made of a booking's id may be.
const maxLinkKey = 200

// LinkKey is how a booking's id stands in a key of the bucket of links: every byte other than letters, digits, "_" and "-" as
// "=" and two hexadecimal digits. One that would be too long is "=_" and its SHA-256.
func LinkKey(booking string) string {
	const upperHex = "0123456789ABCDEF"
	b := make([]byte, 0, len(booking)+8)
	for _, c := range []byte(booking) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
			b = append(b, c)
		default:
			b = append(b, '=', upperHex[c>>4], upperHex[c&15])
		}
	}
	if len(b) > maxLinkKey {
		sum := sha256.Sum256([]byte(booking))
		return "=_" + hex.EncodeToString(sum[:]) // which no other key begins with
	}
	return string(b)
}
