package jobs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AppendJSON appends the record as JSON. What its outbox holds is appended as it is: it is the greater part of a record
// that has one, and was made by an encoder a moment ago. encoding/json would scan it all again, twice.
func (r *Record) AppendJSON(b []byte) ([]byte, error) {
	type plain Record // without methods
	p := plain(*r)
	p.Outbox = nil
	head, err := json.Marshal(&p)
	if err != nil || len(r.Outbox) == 0 {
		return append(b, head...), err
	}
	b = append(b, head[:len(head)-1]...)
	b = append(b, `,"outbox":[`...)
	for i, o := range r.Outbox {
		if i > 0 {
			b = append(b, ',')
		}
		data := o.Data
		o.Data = json.RawMessage("0")
		head, err := json.Marshal(o)
		if err != nil {
			return b, err
		}
		// Data is the last field of Outgoing, so the placeholder is what stands before the last brace.
		b = append(append(append(b, head[:len(head)-2]...), data...), '}')
	}
	return append(b, "]}"...), nil
}

// Digest is what a dispatcher and an operator need to know of a record. It travels in headers, so that following a
// hundred thousand mailboxes decodes no record.
type Digest struct {
	Revision  uint64 // of the settings
	Enabled   bool
	Due       time.Time // when a token ought to have come, at the latest; zero: at once when it was stored
	State     State
	Throttled bool
	Detail
}

// Digest is the record's digest.
func (r *Record) Digest() Digest {
	d := Digest{Revision: r.Settings.Revision, Enabled: r.Settings.Enabled, State: r.State, Throttled: r.Throttled > 0, Detail: r.detail()}
	if r.Idle() {
		d.Due = r.NextPoll
	}
	if !r.Held.IsZero() {
		d.State = StateHeld
	}
	for _, t := range []time.Time{r.Until(), r.Lease} {
		if t.After(d.Due) {
			d.Due = t
		}
	}
	return d
}

// String encodes the digest; [ParseDigest] reads it. It neither begins nor ends with a space, which a header would lose.
func (d Digest) String() string {
	due := int64(0)
	if !d.Due.IsZero() {
		due = d.Due.UnixMilli()
	}
	b := strconv.AppendUint(make([]byte, 0, 48), d.Revision, 10)
	b = append(append(b, ' '), flag(d.Enabled)...)
	b = append(append(b, ' '), flag(d.Throttled)...)
	b = strconv.AppendInt(append(b, ' '), due, 10)
	state := d.State
	if state == StateNew {
		state = "-"
	}
	return string(append(append(b, ' '), state...))
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// ParseDigest reads what Digest.String wrote.
func ParseDigest(s string) (Digest, error) {
	part := strings.Split(s, " ")
	if len(part) != 5 {
		return Digest{}, fmt.Errorf("jobs: digest %q has %d parts, want 5", s, len(part))
	}
	revision, err1 := strconv.ParseUint(part[0], 10, 64)
	due, err2 := strconv.ParseInt(part[3], 10, 64)
	if err1 != nil || err2 != nil {
		return Digest{}, fmt.Errorf("jobs: digest %q is no digest", s)
	}
	d := Digest{Revision: revision, Enabled: part[1] == "1", Throttled: part[2] == "1", State: State(part[4])}
	if d.State == "-" {
		d.State = StateNew
	}
	if due != 0 {
		d.Due = time.UnixMilli(due).UTC()
	}
	return d, nil
}
