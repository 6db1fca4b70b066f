package faults

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"unicode/utf16"

	"roomsync/internal/exchangesim/hook"
)

// Bodies that a rule can only name.
const (
	GzipBomb = "gzip-bomb" // 100 MB of spaces, compressed to 100 kB
	HugeBody = "huge-body" // 32 MB of spaces after the beginning of an envelope
)

// Changes of the true answer that a rule can only name.
const (
	IllegalCharacters = "illegal-characters" // &#xB; in every subject
	DuplicateChanges  = "duplicate-changes"  // every change of a SyncFolderItems page twice
	NeverLast         = "never-last"         // IncludesLastItemInRange is false
	ByteOrderMark     = "byte-order-mark"    // UTF-8 with a byte order mark
	UTF16             = "utf-16"             // little endian with a byte order mark, and declared so
)

var spoilers = map[string]func([]byte) []byte{
	IllegalCharacters: spoilSubjects,
	DuplicateChanges:  duplicateChanges,
	NeverLast: func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("LastItemInRange>true<"), []byte("LastItemInRange>false<"))
	},
	ByteOrderMark: func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) },
	UTF16:         toUTF16,
}

// Specials lists the names that Then.Special may have.
func Specials() []string {
	names := append(slices.Collect(maps.Keys(spoilers)), GzipBomb, HugeBody)
	slices.Sort(names)
	return names
}

// SpoilHeader tells what is to be done to the true answer's bytes, which the EWS part knows nothing of: the simulator
// takes it out and hands it to Spoil.
const SpoilHeader = "X-Simulated-Spoil"

// Spoil changes an answer's body as the value of SpoilHeader says, and tells whether the connection is to be cut in the
// middle of a chunk after it.
func Spoil(how string, body []byte) (spoilt []byte, cut bool) {
	if f := spoilers[how]; f != nil {
		return f(body), false
	}
	if n, err := strconv.Atoi(how); err == nil {
		return body[:min(n, len(body))], true
	}
	return body, false
}

func (t Then) special(a *hook.Answer) {
	a.CutAfter = t.Cut
	if t.Chunked && t.Cut > 0 {
		a.CutAfter = 0
		a.Header.Set(SpoilHeader, strconv.Itoa(t.Cut))
	}
	switch t.Special {
	case "":
	case GzipBomb:
		a.Status, a.Body = http.StatusOK, gzipBomb()
		a.Header.Set("Content-Type", "text/xml; charset=utf-8")
		a.Header.Set("Content-Encoding", "gzip")
	case HugeBody:
		a.Status, a.Body = http.StatusOK, hugeBody()
		a.Header.Set("Content-Type", "text/xml; charset=utf-8")
	case UTF16:
		a.Header.Set("Content-Type", "text/xml; charset=utf-16")
		fallthrough
	default:
		a.Header.Set(SpoilHeader, t.Special)
	}
}

const envelopeStart = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`

var hugeBody = sync.OnceValue(func() []byte {
	return append([]byte(envelopeStart), bytes.Repeat([]byte(" "), 32<<20)...)
})

// gzipBomb is an envelope's beginning and one hundred times the same compressed megabyte: gzip members may follow each
// other (RFC 1952, section 2.2).
var gzipBomb = sync.OnceValue(func() []byte {
	return append(zipped([]byte(envelopeStart)), bytes.Repeat(zipped(bytes.Repeat([]byte(" "), 1<<20)), 100)...)
})

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // writes to a buffer do not fail
	_ = w.Close()
	return out.Bytes()
}

// spoilSubjects puts a character reference into each subject that XML 1.0 forbids and Exchange writes nevertheless.
func spoilSubjects(body []byte) []byte {
	const open, spoilt = "Subject>", "&#xB;"
	var out bytes.Buffer
	out.Grow(len(body) + 64)
	for {
		i := bytes.Index(body, []byte(open))
		if i < 0 {
			out.Write(body)
			return out.Bytes()
		}
		end := i + len(open)
		out.Write(body[:end])
		if tag := bytes.LastIndexByte(body[:i], '<'); tag >= 0 && !bytes.ContainsAny(body[tag+1:i], "/ >") {
			out.WriteString(spoilt)
		}
		body = body[end:]
	}
}

// duplicateChanges writes what stands between <m:Changes> and its end twice.
func duplicateChanges(body []byte) []byte {
	const open, end = "<m:Changes>", "</m:Changes>"
	i, j := bytes.Index(body, []byte(open)), bytes.Index(body, []byte(end))
	if i < 0 || j < i {
		return body
	}
	return slices.Concat(body[:j], body[i+len(open):j], body[j:])
}

func toUTF16(body []byte) []byte {
	text := bytes.Replace(body, []byte(`encoding="utf-8"`), []byte(`encoding="utf-16"`), 1)
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode(bytes.Runes(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}
