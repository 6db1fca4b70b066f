package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// minKeyText is how many bytes the text of a sealing key must have at least.
const minKeyText = 32

// keyring holds the keys that shared tokens are sealed with: the first seals, all open.
type keyring []sealingKey

// sealingKey is what is made of one key's text, by HKDF with SHA-256 (RFC 5869). The keys themselves stand in its functions
// only, since package fmt prints unexported fields as they are.
type sealingKey struct {
	id     string // names the key beside what it has sealed, and tells nothing of it
	seal   func(value, bound []byte) []byte
	unseal func(blob, bound []byte) ([]byte, error)
	mac    func(message []byte) []byte // HMAC-SHA256
}

// newKeyring says of every key that will not do what is wrong with it.
func newKeyring(texts []Secret) (keyring, error) {
	if len(texts) == 0 {
		return nil, errors.New("tokens: there is no key to seal shared tokens with: give one of 32 bytes or more (openssl rand -base64 48)")
	}
	var faults []error
	ring := make(keyring, len(texts))
	for i, text := range texts {
		if n := len(text.Reveal()); n < minKeyText {
			faults = append(faults, fmt.Errorf("tokens: sealing key %d of %d has %d bytes, but must have at least %d (openssl rand -base64 48)", i+1, len(texts), n, minKeyText))
			continue
		}
		ring[i] = newSealingKey(text)
	}
	return ring, errors.Join(faults...)
}

func newSealingKey(text Secret) sealingKey {
	derive := func(purpose string, size int) []byte {
		key, err := hkdf.Key(sha256.New, []byte(text.Reveal()), nil, "roomsync shared tokens: "+purpose, size)
		must(err)
		return key
	}
	block, err := aes.NewCipher(derive("seal", 32))
	must(err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	must(err)
	macKey := derive("mark", sha256.Size)
	return sealingKey{
		id:     hex.EncodeToString(derive("id", 4)),
		seal:   func(value, bound []byte) []byte { return gcm.Seal(nil, nil, value, bound) },
		unseal: func(blob, bound []byte) ([]byte, error) { return gcm.Open(nil, nil, blob, bound) },
		mac: func(message []byte) []byte {
			h := hmac.New(sha256.New, macKey)
			_, _ = h.Write(message)
			return h.Sum(nil)
		},
	}
}

// must panics on what can fail only by a mistake in this file, such as a size that AES does not have.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// put puts the value into t, whose other fields are set.
func (k *sealingKey) put(entryKey string, t *sealed, value Secret) {
	t.Sealer = k.id
	t.Blob = k.seal([]byte(value.Reveal()), t.bound(entryKey))
}

var errDamaged = errors.New("tokens: a shared token is damaged: it is taken for missing, and a new one will replace it")

// open returns the value of t. It is an error when no key of the ring has sealed it, or when anything of it was changed.
func (ring keyring) open(entryKey string, t *sealed) (Secret, error) {
	found := false
	for i := range ring {
		if ring[i].id != t.Sealer {
			continue
		}
		found = true
		if value, err := ring[i].unseal(t.Blob, t.bound(entryKey)); err == nil {
			return NewSecret(string(value)), nil
		}
	}
	if found {
		return Secret{}, errDamaged
	}
	return Secret{}, fmt.Errorf("tokens: a shared token is sealed with key %.8q, which this process does not have (it has %s): it gets tokens of its own; give every worker the same keys", t.Sealer, ring)
}

// String names the keys by their ids.
func (ring keyring) String() string {
	ids := make([]string, len(ring))
	for i := range ring {
		ids[i] = ring[i].id
	}
	return strings.Join(ids, ", ")
}

// mark stands for a credential without telling anything of it to who lacks the key.
func (k *sealingKey) mark(entryKey string, credential Secret) string {
	sum := k.mac(fmt.Appendf(nil, "%q %s", entryKey, credential.Reveal()))
	return k.id + ":" + hex.EncodeToString(sum[:16])
}

// marks reports whether mark stands for the credential, or otherwise when the key that made it is not in the ring.
func (ring keyring) marks(mark, entryKey string, credential Secret, otherwise bool) bool {
	id, _, _ := strings.Cut(mark, ":")
	for i := range ring {
		if ring[i].id != id {
			continue
		}
		if otherwise = hmac.Equal([]byte(ring[i].mark(entryKey, credential)), []byte(mark)); otherwise {
			return true
		}
	}
	return otherwise
}
