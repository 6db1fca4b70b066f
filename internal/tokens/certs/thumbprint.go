package certs

import (
	"crypto/sha1" // a thumbprint is a name here, as in the certificate store of Windows
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Thumbprint names a certificate as Windows and Entra do: the SHA-1 of its DER form in upper-case hexadecimal.
func Thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// ParseThumbprint returns the 40 upper-case hexadecimal digits of a SHA-1 thumbprint. Spaces, colons, hyphens, letter
// case and invisible characters do not matter: Windows' certificate dialog puts a U+200E in front of what is copied.
func ParseThumbprint(s string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == ':' || r == '-' {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
	for _, r := range digits {
		if !strings.ContainsRune("0123456789ABCDEF", r) {
			return "", fmt.Errorf("the thumbprint holds %q, which is no hexadecimal digit: copy it from Certificates & secrets in Entra", r)
		}
	}
	switch len(digits) {
	case 40:
		return digits, nil
	case 64:
		return "", errors.New("the thumbprint has 64 digits and so is a SHA-256: the one of 40 (SHA-1) is needed, as Windows and Entra show it")
	}
	return "", fmt.Errorf("the thumbprint has %d hexadecimal digits, and needs 40 (SHA-1): copy it from Certificates & secrets in Entra", len(digits))
}
