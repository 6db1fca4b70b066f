package seed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim/store"
)

// a Wednesday
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func company(t *testing.T, opts Options) (*store.Company, Result) {
	t.Helper()
	c := store.New(store.Options{Now: func() time.Time { return noon }})
	made, err := Fill(c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c, made
}

// picture writes everything that a calendar shows.
func picture(t *testing.T, c *store.Company) string {
	t.Helper()
	var b strings.Builder
	for _, m := range c.Mailboxes() {
		v, err := m.View(m.Calendar(), noon.AddDate(0, 0, -30), noon.AddDate(0, 0, 60), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range v.Items {
			fmt.Fprintln(&b, m.Address, m.Name, m.Zone, it.ID, it.UID, it.Subject, it.Start.UTC(), it.End.UTC(), it.Type, len(it.Required))
		}
	}
	return b.String()
}

func TestFill_SameSeedSameCompany(t *testing.T) {
	one, made := company(t, Options{Seed: 1, Mailboxes: 20})
	two, _ := company(t, Options{Seed: 1, Mailboxes: 20})
	other, _ := company(t, Options{Seed: 2, Mailboxes: 20})
	if made != (Result{People: 16, Rooms: 4, Items: 400}) {
		t.Errorf("made %+v", made)
	}
	first := picture(t, one)
	if first != picture(t, two) {
		t.Error("the same seed gave another company")
	}
	if first == picture(t, other) {
		t.Error("another seed gave the same company")
	}
}

func TestFill_DefaultAddresses(t *testing.T) {
	c, _ := company(t, Options{Seed: 1, Items: -1, Magic: []string{"busy"}})
	if n := len(c.Mailboxes()); n != 201 {
		t.Errorf("%d mailboxes, want 200 and a magic one", n)
	}
	for _, address := range []string{"user0001@contoso.example", "user0160@contoso.example", "room0001@contoso.example", "room0040@contoso.example", "busy@contoso.example"} {
		if c.Mailbox(address) == nil {
			t.Errorf("no %s", address)
		}
	}
	for _, address := range []string{"user0161@contoso.example", "room0041@contoso.example"} {
		if c.Mailbox(address) != nil {
			t.Errorf("%s is one too many", address)
		}
	}
	if k := c.Mailbox("room0001@contoso.example").Kind; k != store.KindRoom {
		t.Errorf("room0001 is a %s", k)
	}
	if l := c.RoomLists(); len(l) != 1 || len(l[0].Rooms) != 40 {
		t.Errorf("room lists %+v", l)
	}
}

func TestFill_EveryKindOfAppointmentAndAFullToday(t *testing.T) {
	c, _ := company(t, Options{Seed: 1, Mailboxes: 25})
	kinds := map[string]int{}
	zones := map[string]bool{}
	for _, m := range c.Mailboxes() {
		zones[m.Zone] = true
		items, err := m.Items(m.Calendar())
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			kinds[string(it.Type)]++
			if it.AllDay {
				kinds["all-day"]++
			}
			if it.Sensitivity == "Private" {
				kinds["private"]++
			}
			if it.IsMeeting() {
				kinds["meeting"]++
			}
			kinds["modified"] += len(it.Exceptions)
			kinds["deleted"] += len(it.Deleted)
		}
		today := noon.Truncate(24 * time.Hour)
		v, err := m.View(m.Calendar(), today, today.AddDate(0, 0, 1), 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Items) < 4 {
			t.Errorf("%s has %d appointments today", m.Address, len(v.Items))
		}
	}
	for _, k := range []string{"Single", "RecurringMaster", "all-day", "private", "meeting", "modified", "deleted"} {
		if kinds[k] == 0 {
			t.Errorf("nothing %s in %v", k, kinds)
		}
	}
	if len(zones) < 3 {
		t.Errorf("time zones %v, want several", zones)
	}
}

func TestFill_RoomMeetingsAreInTheOrganizersCalendarToo(t *testing.T) {
	c, _ := company(t, Options{Seed: 1, Mailboxes: 10})
	room := c.Mailbox("room0001@contoso.example")
	items, err := room.Items(room.Calendar())
	if err != nil || len(items) != 20 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	for _, it := range items {
		host := c.Mailbox(it.Organizer.Address)
		theirs, err := host.Items(host.Calendar())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(theirs, func(o *store.Item) bool { return o.UID == it.UID && o.Start.Equal(it.Start) && o.ID != it.ID }) {
			t.Errorf("%q is not in %s's calendar", it.Subject, host.Address)
		}
	}
}

func TestFill_AddsToACompany(t *testing.T) {
	c, _ := company(t, Options{Seed: 1, Mailboxes: 10})
	made, err := Fill(c, Options{Seed: 1, People: 3, FromPerson: 8, Items: 2})
	if err != nil || made.People != 3 || made.Rooms != 0 || c.Mailbox("user0011@contoso.example") == nil {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := Fill(c, Options{Seed: 1, People: 1}); err == nil {
		t.Error("an address was given twice")
	}
}

func BenchmarkFill10000(b *testing.B) {
	for b.Loop() {
		c := store.New(store.Options{})
		if _, err := Fill(c, Options{Seed: 1, Mailboxes: 10_000}); err != nil {
			b.Fatal(err)
		}
	}
}
