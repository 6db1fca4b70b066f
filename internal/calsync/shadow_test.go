package calsync

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"roomsync/events"
)

func TestShadow(t *testing.T) {
	var s Shadow
	s.Apply([]events.Change{
		{Kind: events.KindCreated, ItemID: "b", ChangeKey: "1"},
		{Kind: events.KindCreated, ItemID: "a", ChangeKey: "1"},
		{Kind: events.KindUpdated, ItemID: "A", ChangeKey: "2"},
		{Kind: events.KindDeleted, ItemID: "unknown"},
		{Kind: events.KindUpdated, ItemID: "b", ChangeKey: "3"},
	})
	text, err := json.Marshal(s)
	if want := `{"A":"2","a":"1","b":"3"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	if got, want := s.Missing(map[string]string{"a": "9", "new": "1"}), []string{"A", "b"}; !slices.Equal(got, want) {
		t.Errorf("missing %q, want %q", got, want)
	}
	if got := s.Missing(nil); len(got) != 3 || len(s) != 3 {
		t.Errorf("an empty listing: %q; the shadow has %d", got, len(s))
	}
}

// Applying a prefix of what was told again changes nothing in the end, and the encoding is kept.
func TestShadowProperties(t *testing.T) {
	change := rapid.Custom(func(t *rapid.T) events.Change {
		return events.Change{Kind: rapid.SampledFrom([]string{events.KindCreated, events.KindUpdated, events.KindDeleted}).Draw(t, "kind"),
			ItemID: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"), ChangeKey: rapid.String().Draw(t, "ck")}
	})
	rapid.Check(t, func(t *rapid.T) {
		changes := rapid.SliceOf(change).Draw(t, "changes")
		var once, twice, decoded Shadow
		once.Apply(changes)
		twice.Apply(changes[:rapid.IntRange(0, len(changes)).Draw(t, "crash")])
		twice.Apply(changes)
		if !maps.Equal(once, twice) {
			t.Errorf("once %v, twice %v", once, twice)
		}
		last := map[string]string{}
		for _, c := range changes {
			last[c.ItemID] = c.Kind
		}
		for id, kind := range last {
			if _, ok := once[id]; ok == (kind == events.KindDeleted) {
				t.Errorf("%s was last %s", id, kind)
			}
		}
		text, _ := json.Marshal(once)
		if err := json.Unmarshal(text, &decoded); err != nil || !reflect.DeepEqual(decoded, once) {
			t.Errorf("%s became %v, %v", text, decoded, err)
		}
		if missing := once.Missing(once); missing != nil {
			t.Errorf("missing in itself: %q", missing)
		}
	})
}
