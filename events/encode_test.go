package events

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Strings come out as encoding/json reads them in, bytes that are not UTF-8 as encoding/json would write them.
func TestAppendString(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, s string) {
		var got, want string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		_ = json.Unmarshal(must(json.Marshal(s)), &want)
		if got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
	for c := range 256 {
		check(t, "a"+string([]byte{byte(c)})+"z")
		check(t, string(rune(c)))
	}
	for _, s := range []string{"", "\xff\xfe", "a\xc3", "\u2028\u2029\ufffd", "𝄞"} {
		check(t, s)
	}
	if got := string(appendString(nil, "\u2028")); got != `"\u2028"` {
		t.Errorf("U+2028 is written as %s", got)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))) })
}

func TestTimesAreUTC(t *testing.T) {
	zone := time.FixedZone("", 3600)
	c := Change{Kind: KindUpdated, ItemID: "i", Start: ptr(time.Date(2026, 3, 29, 1, 30, 0, 5e8, zone))}
	if got, want := string(must(c.AppendJSON(nil))), `{"kind":"updated","itemId":"i","start":"2026-03-29T00:30:00.5Z"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.Start = ptr(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
	if _, err := c.AppendJSON(nil); err == nil || !strings.Contains(err.Error(), "start") {
		t.Errorf("year 10000: error %v", err)
	}
}

func TestExtra(t *testing.T) {
	for _, tt := range []struct {
		v          any
		want, fail string
	}{
		{Change{Extra: Extra{"z": json.RawMessage(`1`), "a": json.RawMessage(`[]`)}}, `{"kind":"","itemId":"","a":[],"z":1}`, ""},
		{Change{Kind: "k", Extra: Extra{"kind": json.RawMessage(`"other"`)}}, `{"kind":"k","itemId":""}`, ""}, // ours counts
		{Change{Extra: Extra{"x": json.RawMessage(`{`)}}, "", "no JSON"},
		{CalendarChanged{Changes: []Change{{Extra: Extra{"x": nil}}}}, "", "no JSON"},
		{Mailbox{Extra: Extra{"x": json.RawMessage(`1,"enabled":true`)}}, "", "no JSON"},
		{Mailbox{Extra: Extra{"mode": json.RawMessage(`1`), "q\"": json.RawMessage(`2`)}}, `{"address":"","mode":"","enabled":false,"q\"":2}`, ""},
	} {
		got, err := json.Marshal(tt.v)
		if string(got) != tt.want || (err == nil) != (tt.fail == "") || err != nil && !strings.Contains(err.Error(), tt.fail) {
			t.Errorf("%+v: %s, %v; want %s %s", tt.v, got, err, tt.want, tt.fail)
		}
	}
}

func TestDecode(t *testing.T) {
	m := Mailbox{URL: "kept", Extra: Extra{"old": json.RawMessage(`1`)}}
	if err := json.Unmarshal([]byte(`{"ADDRESS":"a@b.c","Mode":"O365","enabled":true,"x":[1]}`), &m); err != nil {
		t.Fatal(err)
	}
	// encoding/json takes names in any case, so such a name is not unknown.
	want := Mailbox{Address: "a@b.c", Mode: "O365", Enabled: true, URL: "kept", Extra: Extra{"x": json.RawMessage(`[1]`)}}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, want %+v", m, want)
	}
	for _, bad := range []string{`[]`, `{"address":1}`, `{`, `"x"`} {
		if err := json.Unmarshal([]byte(bad), new(Mailbox)); err == nil {
			t.Errorf("%s was taken for a mailbox", bad)
		}
	}
}

// Fields tells nothing wanted from nothing said.
func TestMailboxFields(t *testing.T) {
	for text, want := range map[string][]string{
		`{"address":"a","mode":"O365","enabled":true}`:             nil,
		`{"address":"a","mode":"O365","enabled":true,"fields":[]}`: {},
	} {
		var m Mailbox
		if err := json.Unmarshal([]byte(text), &m); err != nil || !reflect.DeepEqual(m.Fields, want) {
			t.Errorf("%s: fields %#v, %v", text, m.Fields, err)
		}
		if !sameJSON(t, must(json.Marshal(m)), []byte(text)) {
			t.Errorf("%s became %s", text, must(json.Marshal(m)))
		}
	}
}

func TestSchemasRefuse(t *testing.T) {
	const page = `{"mailbox":"m","reason":"change","window":{"start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z"},"changes":[%s]}`
	const booking = `{"bookingId":"1","revision":1,"mailbox":"a@b","timeZone":{"iana":"UTC"}%s}`
	for _, tt := range []struct{ name, data string }{
		{TypeCalendarChanged, fmt.Sprintf(page, `{"kind":"deleted"}`)},
		{TypeCalendarChanged, fmt.Sprintf(page, `{"kind":"moved","itemId":"i"}`)},
		{TypeCalendarChanged, fmt.Sprintf(page, `{"kind":"created","itemId":"i","start":"2026-01-01 08:00"}`)},
		{TypeCalendarChanged, fmt.Sprintf(page, `{"kind":"created","itemId":"i","startDate":"1.1.2026"}`)},
		{TypeCalendarChanged, fmt.Sprintf(page, `{"kind":"created","itemId":"i","freeBusy":"Busy"}`)},
		{TypeCalendarChanged, fmt.Sprintf(page, `{"kind":"created","itemId":"i","occurrences":[{"itemId":"o"}]}`)},
		{TypeBookingUpserted, fmt.Sprintf(booking, ``)},
		{TypeBookingUpserted, fmt.Sprintf(booking, `,"allDay":true,"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z"`)},
		{TypeBookingUpserted, strings.Replace(fmt.Sprintf(booking, `,"allDay":true,"startDate":"2026-01-01","endDate":"2026-01-02"`), `{"iana":"UTC"}`, `{}`, 1)},
		{TypeBookingCancelled, `{"bookingId":"1","revision":0,"mailbox":"a@b"}`},
		{SchemaMailbox, `{"address":"a@b","mode":"OnPrem","enabled":true}`},
	} {
		if err := validate(tt.name, []byte(tt.data)); err == nil {
			t.Errorf("%s takes %s", tt.name, tt.data)
		}
	}
}

func bigPage() CalendarChanged {
	page := CalendarChanged{Mailbox: room, Reason: ReasonChange, Window: year}
	for len(page.Changes) < 50 {
		page.Changes = append(page.Changes, goldenChanges()["meeting"], goldenSeries())
	}
	return page
}

func BenchmarkEncodePage(b *testing.B) {
	page := bigPage()
	buf, err := page.AppendJSON(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = page.AppendJSON(buf[:0])
	}
}

func BenchmarkDecodePage(b *testing.B) {
	text := must(bigPage().AppendJSON(nil))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var page CalendarChanged
		if err := json.Unmarshal(text, &page); err != nil {
			b.Fatal(err)
		}
	}
}
