// Package ntlm is the server's side of NTLM sign-in over HTTP: it makes the challenge and checks NTLMv2's answer to it
// (MS-NLMP, https://learn.microsoft.com/openspecs/windows_protocols/ms-nlmp). NTLMv1 and LM answers are refused, as
// domains have refused them for long. Nothing is signed or sealed afterwards: HTTP does not use that.
package ntlm

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 the protocol is made of it, as it is of MD5 and RC4
)

// Message types (MS-NLMP 2.2.1).
const (
	Negotiate    = 1
	Challenge    = 2
	Authenticate = 3
)

// Negotiate flags (MS-NLMP 2.2.2.5).
const (
	flagUnicode         = 1 << 0
	flagOEM             = 1 << 1
	flagRequestTarget   = 1 << 2
	flagNTLM            = 1 << 9
	flagAlwaysSign      = 1 << 15
	flagTargetDomain    = 1 << 16
	flagExtendedSession = 1 << 19
	flagTargetInfo      = 1 << 23
	flagVersion         = 1 << 25
	flag128             = 1 << 29
	flagKeyExchange     = 1 << 30
	flag56              = 1 << 31
)

// offered is what the server can do; of it the client's wishes are taken.
const offered = flagUnicode | flagOEM | flagRequestTarget | flagNTLM | flagAlwaysSign | flagExtendedSession | flagVersion | flag128 | flagKeyExchange | flag56

// Attributes of the target (MS-NLMP 2.2.2.1).
const (
	avEnd         = 0
	avComputer    = 1
	avDomain      = 2
	avDNSComputer = 3
	avDNSDomain   = 4
	avFlags       = 6
	avTimestamp   = 7
)

const signature = "NTLMSSP\x00"

// ErrMalformed is an answer to what is no NTLM message, or none that is expected.
var ErrMalformed = errors.New("ntlm: malformed message")

// Type tells which message it is, 0 for none.
func Type(message []byte) uint32 {
	if len(message) < 12 || string(message[:8]) != signature {
		return 0
	}
	return binary.LittleEndian.Uint32(message[8:])
}

// Server is who challenges.
type Server struct {
	Domain   string // NetBIOS name of the domain
	Computer string // NetBIOS name of the server
	DNS      string // DNS name of the domain
}

// Handshake is a challenge that waits for its answer.
type Handshake struct {
	challenge [8]byte
	sent, got []byte // the CHALLENGE and NEGOTIATE messages, which the answer's integrity code covers
}

// Challenge answers a NEGOTIATE message with a CHALLENGE message.
func (s *Server) Challenge(negotiate []byte, now time.Time) (*Handshake, []byte, error) {
	if Type(negotiate) != Negotiate || len(negotiate) < 16 {
		return nil, nil, ErrMalformed
	}
	flags := binary.LittleEndian.Uint32(negotiate[12:])
	switch {
	case flags&flagUnicode != 0:
		flags &^= flagOEM
	case flags&flagOEM == 0:
		return nil, nil, ErrMalformed
	}
	h := &Handshake{got: bytes.Clone(negotiate)}
	rand.Read(h.challenge[:]) // never fails
	h.sent = s.message(flags&offered|flagTargetInfo|flagTargetDomain, h.challenge, now)
	return h, h.sent, nil
}

// message writes a CHALLENGE message (MS-NLMP 2.2.1.2).
func (s *Server) message(flags uint32, challenge [8]byte, now time.Time) []byte {
	const header = 56
	name, info := []byte(s.Domain), s.targetInfo(now)
	if flags&flagUnicode != 0 {
		name = utf16LE(s.Domain)
	}
	b := append([]byte(signature), 2, 0, 0, 0)
	b = field(b, len(name), header)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = append(b, challenge[:]...)
	b = append(b, make([]byte, 8)...)
	b = field(b, len(info), header+len(name))
	b = append(b, 10, 0, 0x39, 0x38, 0, 0, 0, 15) // Windows 10.0.14393, NTLMSSP revision 15
	b = append(b, name...)
	return append(b, info...)
}

// targetInfo tells who asks, and the time: a client that gets it answers with an integrity code.
func (s *Server) targetInfo(now time.Time) []byte {
	var b []byte
	for _, pair := range []struct {
		id   uint16
		text string
	}{
		{avDomain, s.Domain}, {avComputer, s.Computer}, {avDNSDomain, s.DNS}, {avDNSComputer, strings.ToLower(s.Computer) + "." + s.DNS},
	} {
		b = attribute(b, pair.id, utf16LE(pair.text))
	}
	b = attribute(b, avTimestamp, binary.LittleEndian.AppendUint64(nil, fileTime(now)))
	return attribute(b, avEnd, nil)
}

// fileTime counts 100 ns since 1601 (MS-DTYP 2.3.3).
func fileTime(t time.Time) uint64 { return uint64(t.UnixNano()/100) + 116444736000000000 }

func attribute(b []byte, id uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// field says where in the message something stands: length, room, offset.
func field(b []byte, length, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

func utf16LE(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Answer is a client's AUTHENTICATE message.
type Answer struct {
	User, Domain string

	message    []byte
	flags      uint32
	response   []byte // NTLMv2_RESPONSE: 16 bytes of proof and what it is about
	sessionKey []byte
}

// Parse takes an AUTHENTICATE message apart (MS-NLMP 2.2.1.3).
func Parse(message []byte) (*Answer, error) {
	if Type(message) != Authenticate || len(message) < 64 {
		return nil, ErrMalformed
	}
	a := &Answer{message: message, flags: binary.LittleEndian.Uint32(message[60:])}
	var user, domain []byte
	for _, f := range []struct {
		at   int
		into *[]byte
	}{{20, &a.response}, {28, &domain}, {36, &user}, {52, &a.sessionKey}} {
		length, offset := uint64(binary.LittleEndian.Uint16(message[f.at:])), uint64(binary.LittleEndian.Uint32(message[f.at+4:]))
		if offset+length > uint64(len(message)) {
			return nil, ErrMalformed
		}
		*f.into = message[offset : offset+length]
	}
	var err error
	if a.User, err = a.text(user); err != nil {
		return nil, err
	}
	a.Domain, err = a.text(domain)
	return a, err
}

// text decodes a name. Without Unicode it is in the client's OEM character set, of which ASCII is taken.
func (a *Answer) text(b []byte) (string, error) {
	isASCII := func(b []byte) bool { return !bytes.ContainsFunc(b, func(r rune) bool { return r > 127 }) }
	switch {
	case a.flags&flagUnicode != 0 && len(b)%2 == 0:
		return fromUTF16(b), nil
	case a.flags&flagUnicode == 0 && isASCII(b):
		return string(b), nil
	}
	return "", ErrMalformed
}

func fromUTF16(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// Proves reports whether the answer to this challenge proves the password (MS-NLMP 3.3.2 and 3.2.5.1.2).
func (a *Answer) Proves(h *Handshake, password string) bool {
	const proof, fixed = 16, 28 // before the attributes
	if len(a.response) < proof+fixed {
		return false // anonymous, or NTLMv1
	}
	about := a.response[proof:]
	key := mac(hash(password), utf16LE(strings.ToUpper(a.User)+a.Domain))
	want := mac(key, h.challenge[:], about)
	if !hmac.Equal(want, a.response[:proof]) {
		return false
	}
	return !hasIntegrityCode(about[fixed:]) || a.intact(h, mac(key, want))
}

// hash is NTOWFv1: MD4 over the password.
func hash(password string) []byte {
	d := md4.New()
	d.Write(utf16LE(password))
	return d.Sum(nil)
}

func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(md5.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// hasIntegrityCode looks for the attribute by which the client says that its message has one.
func hasIntegrityCode(attributes []byte) bool {
	for len(attributes) >= 4 {
		id, length := binary.LittleEndian.Uint16(attributes), int(binary.LittleEndian.Uint16(attributes[2:]))
		if id == avEnd || len(attributes) < 4+length {
			break
		}
		if id == avFlags && length == 4 {
			return attributes[4]&2 != 0
		}
		attributes = attributes[4+length:]
	}
	return false
}

// intact checks the message integrity code, which covers all three messages with itself left out.
func (a *Answer) intact(h *Handshake, sessionBaseKey []byte) bool {
	const at, size = 72, 16
	if len(a.message) < at+size {
		return false
	}
	key := sessionBaseKey
	if a.flags&flagKeyExchange != 0 {
		c, err := rc4.NewCipher(key)
		if err != nil || len(a.sessionKey) != 16 {
			return false
		}
		key = make([]byte, 16)
		c.XORKeyStream(key, a.sessionKey)
	}
	zeroed := bytes.Clone(a.message)
	clear(zeroed[at : at+size])
	return hmac.Equal(mac(key, h.got, h.sent, zeroed), a.message[at:at+size])
}
