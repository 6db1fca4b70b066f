// Package certs finds the certificate, with its private key, by which an application proves to Microsoft Entra who it
// is: in a folder with PEM and PFX files, or on Windows in the Local Computer store, where ROOMS keeps it.
//
// A [Store] looks each time it is asked, so that a renewed file takes effect without a restart. As long as the new one
// cannot be used, the certificate that was found before stays in use. A chain is not needed: Entra knows an
// application's certificate by itself.
package certs

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"roomsync/internal/tokens"
)

// soon is how long before its end a certificate is warned of.
const soon = 30 * 24 * time.Hour

// Options says which certificate, and where it is.
type Options struct {
	// Thumbprint is the certificate's SHA-1 thumbprint, in any form that [ParseThumbprint] reads. When it is empty, the
	// only certificate that has a private key is taken.
	Thumbprint string
	// Dir is a folder with PEM or PFX files; folders in it are not looked at. Empty is the store Local Computer →
	// Personal, which only Windows has.
	Dir string
	// Password opens PFX files; nil or a zero secret for those without one.
	Password func() (tokens.Secret, error)
	// Warn is told of what does not stop the work, the same thing once a day. It may be nil.
	Warn func(error)
}

// place is where certificates are.
type place interface {
	// stamp differs when something may have changed; "" when nobody can tell.
	stamp() string
	// find returns the certificate with that thumbprint, or for "" the only one with a key. Its dates are not checked.
	find(thumbprint string) (*Certificate, error)
}

// Store finds one certificate. It is safe for concurrent use.
type Store struct {
	place      place
	thumbprint string
	tell       func(error)

	mu      sync.Mutex // also while looking: that takes as long as a disk does
	stamp   string     // of the place, when current was found
	current *Certificate
	warned  map[string]time.Time
}

// New checks the options; it looks at nothing yet.
func New(o Options) (*Store, error) {
	s := &Store{tell: o.Warn, warned: map[string]time.Time{}}
	if o.Thumbprint != "" {
		var err error
		if s.thumbprint, err = ParseThumbprint(o.Thumbprint); err != nil {
			return nil, err
		}
	}
	if o.Dir != "" {
		s.place = folder{o.Dir, o.Password}
		return s, nil
	}
	m := localComputer()
	if m == nil {
		return nil, errors.New("certificates are looked for in the store of Windows, which this system has not: name a folder with --cert-dir")
	}
	s.place = m
	return s, nil
}

// Certificate returns the certificate as it is now. It is valid today and its key is RSA.
func (s *Store) Certificate() (*Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if c, err := s.look(now); err == nil {
		s.current = c
	} else if s.current == nil || s.current.valid(now) != nil {
		return nil, err
	} else {
		s.warn(now, fmt.Errorf("%w; the certificate that was found before stays in use", err))
	}
	if end := s.current.leaf.NotAfter; end.Sub(now) < soon {
		s.warn(now, fmt.Errorf("the certificate %s expires on %s: register a new one in Entra in time", s.current, day(end)))
	}
	return s.current, nil
}

// look finds the certificate anew if there is any reason to. The stamp is read before the content, so that what
// changes in between is found the next time.
func (s *Store) look(now time.Time) (*Certificate, error) {
	stamp := s.place.stamp()
	if s.current != nil && stamp != "" && stamp == s.stamp && s.current.valid(now) == nil {
		return s.current, nil
	}
	c, err := s.place.find(s.thumbprint)
	if err == nil {
		err = c.valid(now)
	}
	if err != nil {
		return nil, err
	}
	s.stamp = stamp
	return c, nil
}

// NotAfter is when the certificate in use expires; zero before the first one was found.
func (s *Store) NotAfter() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return time.Time{}
	}
	return s.current.leaf.NotAfter
}

// warn tells the same thing once a day.
func (s *Store) warn(now time.Time, err error) {
	if last, ok := s.warned[err.Error()]; s.tell == nil || ok && now.Sub(last) < 24*time.Hour {
		return
	}
	for text, last := range s.warned {
		if now.Sub(last) >= 24*time.Hour {
			delete(s.warned, text)
		}
	}
	s.warned[err.Error()] = now
	s.tell(err)
}

// Certificate is a certificate with its private key. Printing or encoding it shows nothing of the key.
type Certificate struct {
	leaf   *x509.Certificate
	key    crypto.Signer
	source string
}

// Leaf is the certificate itself.
func (c *Certificate) Leaf() *x509.Certificate { return c.leaf }

// Signer signs with the private key, which may be one that cannot be read.
func (c *Certificate) Signer() crypto.Signer { return c.key }

// Thumbprint is the certificate's SHA-1 in 40 upper-case hexadecimal digits.
func (c *Certificate) Thumbprint() string { return Thumbprint(c.leaf) }

// Source says where the private key was found.
func (c *Certificate) Source() string { return c.source }

// String gives thumbprint and subject.
func (c *Certificate) String() string { return name(c.leaf) }

// GoString gives what String does.
func (c *Certificate) GoString() string { return "certs.Certificate(" + name(c.leaf) + ")" }

func (c *Certificate) valid(now time.Time) error {
	switch {
	case now.Before(c.leaf.NotBefore):
		return fmt.Errorf("the certificate %s is valid only from %s: check this host's clock", c, day(c.leaf.NotBefore))
	case now.After(c.leaf.NotAfter):
		return fmt.Errorf("the certificate %s expired on %s: register a new one in Entra and set its thumbprint, --cert-thumbprint (ExchangeCertThumbprint)", c, day(c.leaf.NotAfter))
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// name is how messages call a certificate.
func name(c *x509.Certificate) string { return fmt.Sprintf("%s (%s)", Thumbprint(c), c.Subject) }

func isRSA(c *x509.Certificate) bool {
	_, ok := c.PublicKey.(*rsa.PublicKey)
	return ok
}
