package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Ids have the layout that real ones have (MS-OXWSITEMID 2.2.4, checked against recorded ids):
//
//	00 03 | length 36 | mailbox GUID as text | processing instruction | length of store id | store id
//
// The store id of a folder is a MAPI folder entry id of 46 bytes, that of an item a message entry id of 70. An
// occurrence's holds the ticks of its original date and its master's entry id, 81 bytes. In base64 that is 120, 152
// and 168 characters.

type guid [16]byte

func (g guid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}

func parseGUID(s []byte) (g guid, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, false
	}
	n := 0
	for _, part := range [][]byte{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		for _, c := range part {
			if c >= 'A' && c <= 'F' {
				return g, false // ids are case-sensitive
			}
		}
		d, err := hex.Decode(g[n:], part)
		if err != nil {
			return g, false
		}
		n += d
	}
	return g, true
}

// hashGUID derives a GUID from what it is for.
func hashGUID(parts ...any) guid {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return guid(sum[:16])
}

const (
	normalID     = 0 // IdProcessingInstruction Normal
	recurrenceID = 1 // IdProcessingInstruction Recurrence

	folderEntry     = 46
	itemEntry       = 70
	occurrenceStore = 81
	prefixLen       = 43
)

// prefix begins every id of the mailbox up to the store id's length.
func (m *Mailbox) prefix(instruction byte, storeLen int) []byte {
	b := make([]byte, 0, 128)
	b = append(b, 0, 3, 36, 0)
	b = append(b, m.guid.String()...)
	return append(b, instruction, byte(storeLen), byte(storeLen>>8))
}

func (m *Mailbox) entry(b []byte, kind byte, counters ...uint64) []byte {
	b = append(b, 0, 0, 0, 0)
	b = append(b, m.provider[:]...)
	b = append(b, kind, 0)
	for _, n := range counters {
		b = append(b, m.database[:]...)
		b = append(b, byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n), 0, 0)
	}
	return b
}

func (m *Mailbox) folderID(folder uint64) string {
	return base64.StdEncoding.EncodeToString(m.entry(m.prefix(normalID, folderEntry), 1, folder))
}

func (m *Mailbox) itemID(folder, item uint64) string {
	return base64.StdEncoding.EncodeToString(m.entry(m.prefix(normalID, itemEntry), 7, folder, item))
}

// occurrenceID derives the id of the occurrence that the pattern puts on a date.
func (m *Mailbox) occurrenceID(folder, master uint64, d Date) string {
	b := m.prefix(recurrenceID, occurrenceStore)
	b = append(b, 8)
	b = binary.BigEndian.AppendUint64(b, d.ticks())
	b = append(b, itemEntry)
	b = m.entry(b, 7, folder, master)
	return base64.StdEncoding.EncodeToString(append(b, 0x10))
}

// changeKey names version n of an item (class 15) or a folder (class 2).
func (m *Mailbox) changeKey(class byte, n uint64) string {
	b := make([]byte, 0, 30)
	b = append(b, class, 0, 0, 0, 22, 0, 0, 0)
	b = append(b, m.database[:]...)
	b = append(b, byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return base64.StdEncoding.EncodeToString(b)
}

// ref is what an id says.
type ref struct {
	mailbox      guid
	folder, item uint64 // counters; item is 0 in a folder's id
	date         Date   // original date of an occurrence
	occurrence   bool
}

// parseID takes an id apart. It refuses everything that no mailbox has given out.
func parseID(id string) (ref, error) {
	var r ref
	var buf [128]byte
	if len(id) > 168 {
		return r, ErrIDMalformed
	}
	n, err := base64.StdEncoding.Strict().Decode(buf[:], []byte(id))
	b := buf[:n]
	if err != nil || len(b) < prefixLen || !bytes.HasPrefix(b, []byte{0, 3, 36, 0}) {
		return r, ErrIDMalformed
	}
	g, ok := parseGUID(b[4:40])
	store := b[prefixLen:]
	if !ok || int(b[41])|int(b[42])<<8 != len(store) {
		return r, ErrIDMalformed
	}
	r.mailbox = g
	switch {
	case b[40] == normalID && len(store) == folderEntry:
		r.folder = counter(store[38:])
	case b[40] == normalID && len(store) == itemEntry:
		r.folder, r.item = counter(store[38:]), counter(store[62:])
	case b[40] == recurrenceID && len(store) == occurrenceStore && store[0] == 8 && store[9] == itemEntry && store[80] == 0x10:
		r.occurrence = true
		r.folder, r.item = counter(store[48:]), counter(store[72:])
		r.date, ok = dateOfTicks(binary.BigEndian.Uint64(store[1:]))
	default:
		ok = false
	}
	if !ok {
		return r, ErrIDMalformed
	}
	return r, nil
}

// counter reads the 48-bit number in an entry id.
func counter(b []byte) uint64 {
	return uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(b[2])<<24 | uint64(b[3])<<16 | uint64(b[4])<<8 | uint64(b[5])
}

// uid makes a GlobalObjectId in hexadecimal: Outlook's class id, no exception date, the creation time, and 16 bytes
// that make it unique (MS-OXOCAL 2.2.1.27).
func (m *Mailbox) uid(item uint64, created time.Time) string {
	b, _ := hex.DecodeString("040000008200E00074C5B7101A82E00800000000")
	b = binary.LittleEndian.AppendUint64(b, uint64(created.Unix()+11644473600)*10_000_000)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0)
	unique := hashGUID("uid", m.guid, item)
	return strings.ToUpper(hex.EncodeToString(append(b, unique[:]...)))
}
