package signin

import (
	"crypto"
	"crypto/md5" // what MS-NLMP demands
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"math"
)

// AV_PAIR ids (MS-NLMP, section 2.2.2.1).
const (
	avEOL             = 0
	avChannelBindings = 10
)

// Where things stand in a CHALLENGE_MESSAGE (MS-NLMP, section 2.2.1.2).
const (
	targetInfoField = 40 // length, maximum length, offset
	challengeHeader = 48
)

// withBinding adds the channel binding to the target information of a challenge. The client's answer repeats that
// information under its signature, and so proves to the server that both ends see the same TLS connection: Extended
// Protection, which Exchange Server 2019 switches on by itself since its update 14. A challenge without target
// information, or a connection without TLS, stays as it is.
//
// https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection
func withBinding(challenge []byte, state *tls.ConnectionState) []byte {
	if state == nil || len(state.PeerCertificates) == 0 || len(challenge) < challengeHeader {
		return challenge
	}
	size := uint64(binary.LittleEndian.Uint16(challenge[targetInfoField:]))
	offset := uint64(binary.LittleEndian.Uint32(challenge[targetInfoField+4:]))
	if size == 0 || offset+size > uint64(len(challenge)) {
		return challenge
	}
	info := withoutEnd(challenge[offset : offset+size])
	hash := bindingHash(state.PeerCertificates[0])
	info = appendAV(info, avChannelBindings, hash[:])
	info = appendAV(info, avEOL, nil)
	if len(info) > math.MaxUint16 {
		return challenge
	}
	bound := append([]byte(nil), challenge...)
	field := bound[targetInfoField:]
	binary.LittleEndian.PutUint16(field, uint16(len(info)))
	binary.LittleEndian.PutUint16(field[2:], uint16(len(info)))
	binary.LittleEndian.PutUint32(field[4:], uint32(len(bound)))
	return append(bound, info...)
}

// withoutEnd copies AV_PAIRs up to the one that ends the list, and without a channel binding, which is not the
// server's to give.
func withoutEnd(info []byte) []byte {
	var out []byte
	for len(info) >= 4 {
		id, size := binary.LittleEndian.Uint16(info), int(binary.LittleEndian.Uint16(info[2:]))
		if id == avEOL || 4+size > len(info) {
			break
		}
		if id != avChannelBindings {
			out = append(out, info[:4+size]...)
		}
		info = info[4+size:]
	}
	return out
}

func appendAV(info []byte, id uint16, value []byte) []byte {
	info = binary.LittleEndian.AppendUint16(info, id)
	info = binary.LittleEndian.AppendUint16(info, uint16(len(value)))
	return append(info, value...)
}

// bindingHash is the MD5 of a gss_channel_bindings_struct (RFC 2744, section 3.11) without addresses, whose data is the
// tls-server-end-point binding (RFC 5929, section 4).
func bindingHash(cert *x509.Certificate) [md5.Size]byte {
	h := endPointHash(cert).New()
	h.Write(cert.Raw)
	data := h.Sum([]byte("tls-server-end-point:"))
	bindings := make([]byte, 16, 20+len(data)) // types and lengths of the two addresses: none
	bindings = binary.LittleEndian.AppendUint32(bindings, uint32(len(data)))
	return md5.Sum(append(bindings, data...))
}

// endPointHash is the hash of the certificate's signature, but SHA-256 instead of MD5 and SHA-1.
func endPointHash(cert *x509.Certificate) crypto.Hash {
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	}
	return crypto.SHA256
}
