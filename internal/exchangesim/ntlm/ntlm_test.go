package ntlm

import (
	"bytes"
	"crypto/rc4"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"

	"github.com/Azure/go-ntlmssp"
)

var server = Server{Domain: "CONTOSO", Computer: "SIM-FE01", DNS: "contoso.example"}

// exchange lets Microsoft's client answer a challenge.
func exchange(t *testing.T, user, password string) (*Handshake, *Answer) {
	t.Helper()
	negotiate, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		t.Fatal(err)
	}
	h, challenge, err := server.Challenge(negotiate, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	message, err := ntlmssp.NewAuthenticateMessage(challenge, user, password, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Parse(message)
	if err != nil {
		t.Fatal(err)
	}
	return h, a
}

func TestProves_OnlyTheRightPasswordForThisChallenge(t *testing.T) {
	h, a := exchange(t, `CONTOSO\svc`, "simulated")
	if a.User != "svc" || a.Domain != "CONTOSO" {
		t.Errorf("%s of %s", a.User, a.Domain)
	}
	if !a.Proves(h, "simulated") {
		t.Error("the right password is refused")
	}
	other, _ := exchange(t, `CONTOSO\svc`, "simulated")
	if a.Proves(h, "Simulated") || a.Proves(h, "") || a.Proves(other, "simulated") {
		t.Error("a wrong password, or an answer to another challenge, is accepted")
	}
}

// A changed bit anywhere in the proof, or in what it is about, spoils it.
func TestProves_ChangedAnswers(t *testing.T) {
	h, a := exchange(t, "svc@contoso.example", "simulated")
	if a.User != "svc@contoso.example" || a.Domain != "" {
		t.Errorf("%q of %q", a.User, a.Domain)
	}
	for i := range a.response {
		a.response[i] ^= 0x40
		if a.Proves(h, "simulated") {
			t.Errorf("byte %d of the response does not matter", i)
		}
		a.response[i] ^= 0x40
	}
	if !a.Proves(h, "simulated") {
		t.Fatal("the test has broken the answer")
	}
	a.User = "other"
	if a.Proves(h, "simulated") {
		t.Error("the name does not matter")
	}
}

// The published example (MS-NLMP 4.2.4): user User, domain Domain, password Password, server challenge
// 0123456789abcdef, time 0, client challenge aa..., and its NTProofStr.
func TestProves_MicrosoftsExample(t *testing.T) {
	h := &Handshake{challenge: [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}}
	about := unhex(t, "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000")
	a := &Answer{User: "User", Domain: "Domain", response: append(unhex(t, "68cd0ab851e51c96aabc927bebef6a1c"), about...)}
	if !a.Proves(h, "Password") {
		t.Error("the example's answer is refused")
	}
	if got := mac(hash("Password"), utf16LE("USERDomain")); !bytes.Equal(got, unhex(t, "0c868a403bfd7a93a3001ef22ef02e3f")) {
		t.Errorf("NTOWFv2 %x", got)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An answer that announces an integrity code must have the right one.
func TestProves_IntegrityCode(t *testing.T) {
	for name, keyExchange := range map[string]bool{"own session key": false, "exchanged key": true} {
		t.Run(name, func(t *testing.T) {
			h, message := withIntegrityCode(t, keyExchange)
			a, err := Parse(message)
			if err != nil || !a.Proves(h, "simulated") {
				t.Fatalf("the right code is refused: %v", err)
			}
			for _, i := range []int{72, 87, 65} { // the code, and a byte that it covers
				message[i] ^= 1
				if a, err := Parse(message); err != nil || a.Proves(h, "simulated") {
					t.Errorf("a change of byte %d is not noticed: %v", i, err)
				}
				message[i] ^= 1
			}
			h.got[12] ^= 1
			if a.Proves(h, "simulated") {
				t.Error("a changed NEGOTIATE message is not noticed")
			}
		})
	}
}

// A client that offers no Unicode writes names in its own character set; the proof is over Unicode all the same.
func TestProves_NamesInASCII(t *testing.T) {
	negotiate, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		t.Fatal(err)
	}
	negotiate[12] = negotiate[12]&^flagUnicode | flagOEM
	h, challenge, err := server.Challenge(negotiate, time.Now())
	if err != nil || challenge[20]&(flagUnicode|flagOEM) != flagOEM || string(challenge[56:63]) != "CONTOSO" {
		t.Fatalf("challenge %x, %v", challenge, err)
	}
	about := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 24)...)
	key := mac(hash("simulated"), utf16LE("SVCCONTOSO"))
	message := answerMessage(flagOEM|flagNTLM, append(mac(key, h.challenge[:], about), about...), nil)
	a, err := Parse(message)
	if err != nil || a.User != "svc" || a.Domain != "CONTOSO" || !a.Proves(h, "simulated") {
		t.Errorf("answer %+v, %v", a, err)
	}
	negotiate[12] &^= flagOEM
	if _, _, err := server.Challenge(negotiate, time.Now()); err == nil {
		t.Error("a client without any character set is challenged")
	}
}

// withIntegrityCode builds an answer by hand, as Windows does: the client library does without a code.
func withIntegrityCode(t *testing.T, keyExchange bool) (*Handshake, []byte) {
	t.Helper()
	negotiate, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := server.Challenge(negotiate, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	about := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 20)...)
	about = append(attribute(attribute(about, avFlags, []byte{2, 0, 0, 0}), avEnd, nil), 0, 0, 0, 0)
	key := mac(hash("simulated"), utf16LE("SVCCONTOSO"))
	proof := mac(key, h.challenge[:], about)
	session, flags := mac(key, proof), uint32(flagUnicode|flagNTLM)
	var sealed []byte
	if keyExchange {
		random := bytes.Repeat([]byte{7}, 16)
		sealed = rc4Of(t, session, random)
		session, flags = random, flags|flagKeyExchange
	}
	message := answerMessage(flags, append(proof, about...), sealed)
	copy(message[72:], mac(session, h.got, h.sent, message))
	return h, message
}

func answerMessage(flags uint32, response, sealed []byte) []byte {
	const header = 88
	domain, user := []byte("CONTOSO"), []byte("svc")
	if flags&flagUnicode != 0 {
		domain, user = utf16LE("CONTOSO"), utf16LE("svc")
	}
	b := append([]byte(signature), 3, 0, 0, 0)
	offset := header
	for _, part := range [][]byte{nil, response, domain, user, nil, sealed} {
		b = field(b, len(part), offset)
		offset += len(part)
	}
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = append(b, make([]byte, header-len(b))...)
	for _, part := range [][]byte{response, domain, user, sealed} {
		b = append(b, part...)
	}
	return b
}

func TestParse_Nonsense(t *testing.T) {
	_, a := exchange(t, "svc", "simulated")
	good := a.message
	for n := range good {
		if short, err := Parse(good[:n]); err == nil && short.Proves(&Handshake{}, "simulated") {
			t.Errorf("%d bytes of %d prove something", n, len(good))
		}
	}
	for _, m := range [][]byte{nil, []byte("NTLMSSP\x00"), bytes.Repeat([]byte{0xff}, 200), append([]byte("NTLMSSP\x00\x03\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 100)...)} {
		if _, err := Parse(m); err == nil {
			t.Errorf("%x is taken", m)
		}
		if _, _, err := server.Challenge(m, time.Now()); err == nil {
			t.Errorf("%x is challenged", m)
		}
	}
	if v1 := (&Answer{User: "svc", response: make([]byte, 24)}); v1.Proves(&Handshake{}, "simulated") {
		t.Error("NTLMv1 is taken")
	}
}

func rc4Of(t *testing.T, key, text []byte) []byte {
	t.Helper()
	c, err := rc4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(text))
	c.XORKeyStream(out, text)
	return out
}
