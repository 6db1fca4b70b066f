package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"roomsync/internal/tokens"
)

// content is what one file holds.
type content struct {
	name  string
	certs []*x509.Certificate
	keys  []crypto.PrivateKey
	pfx   bool
	fault error // why something in it cannot be used
}

func (c content) empty() bool { return len(c.certs) == 0 && len(c.keys) == 0 && c.fault == nil }

// parse reads PEM, PFX or a certificate in DER; anything else is empty.
func parse(name string, data []byte, password func() (tokens.Secret, error)) content {
	c := content{name: name}
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		c.pem(data)
	case isPFX(data) || slices.Contains([]string{".pfx", ".p12"}, strings.ToLower(filepath.Ext(name))):
		c.pfx = true
		c.open(data, password)
	default:
		if cert, err := x509.ParseCertificate(data); err == nil {
			c.certs = append(c.certs, cert)
		}
	}
	return c
}

func (c *content) pem(data []byte) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors of Windows write it
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			c.pemKey(block)
		} else if strings.HasSuffix(block.Type, "CERTIFICATE") {
			c.pemCert(block)
		}
	}
}

func (c *content) pemCert(block *pem.Block) {
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		c.fault = fmt.Errorf("%s holds a certificate that cannot be decoded: export it anew", c.name)
		return
	}
	c.certs = append(c.certs, cert)
}

// pemKey decodes PKCS #1, PKCS #8 and SEC 1. Errors of the decoders are dropped: none of a key may get into a message.
func (c *content) pemKey(block *pem.Block) {
	var key crypto.PrivateKey
	var err error
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		c.fault = fmt.Errorf("%s holds an encrypted private key, which only PFX files may: make one (openssl pkcs12 -export -inkey KEY -in CERTIFICATE -out FILE.pfx) and give its password with --cert-password-file", c.name)
		return
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		c.fault = fmt.Errorf("%s holds a private key that cannot be decoded: export it anew", c.name)
		return
	}
	c.keys = append(c.keys, key)
}

// isPFX recognizes RFC 7292, section 4: SEQUENCE { version INTEGER (3), … }.
func isPFX(data []byte) bool {
	var outer, version asn1.RawValue
	if _, err := asn1.Unmarshal(data, &outer); err != nil || outer.Tag != asn1.TagSequence {
		return false
	}
	_, err := asn1.Unmarshal(outer.Bytes, &version)
	return err == nil && version.Tag == asn1.TagInteger && len(version.Bytes) == 1 && version.Bytes[0] == 3
}

// open decodes a PFX file with the password, or else without one.
func (c *content) open(data []byte, password func() (tokens.Secret, error)) {
	var secret tokens.Secret
	if password != nil {
		var err error
		if secret, err = password(); err != nil {
			c.fault = fmt.Errorf("the password of %s (--cert-password-file) cannot be read: %w", c.name, err)
			return
		}
	}
	err := c.decode(data, secret.Reveal())
	if err != nil && !secret.IsZero() && c.decode(data, "") == nil {
		return
	}
	wrong := errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption)
	switch {
	case wrong && secret.IsZero():
		c.fault = fmt.Errorf("%s needs a password: give it with --cert-password-file", c.name)
	case wrong:
		c.fault = fmt.Errorf("%s cannot be opened: its password is another than the one given (--cert-password-file)", c.name)
	case err != nil:
		c.fault = fmt.Errorf("%s cannot be decoded (%w): export the certificate with its private key anew", c.name, err)
	}
}

func (c *content) decode(data []byte, password string) error {
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return err
	}
	c.certs, c.keys = append(chain, leaf), []crypto.PrivateKey{key}
	return nil
}
