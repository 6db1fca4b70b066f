package calsync

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	unsure := ItemChange{Kind: Updated, ID: "a", Unsure: true}
	created, updated, deleted := ItemChange{Kind: Created, ID: "a", ChangeKey: "1"}, ItemChange{Kind: Updated, ID: "a", ChangeKey: "1"}, ItemChange{Kind: Deleted, ID: "a"}
	later := ItemChange{Kind: Updated, ID: "a", ChangeKey: "2"}
	for _, tt := range []struct {
		name string
		page []ItemChange
		want ItemChange
	}{
		{"once", []ItemChange{updated}, updated},
		{"repeated", []ItemChange{updated, updated}, updated},
		{"deleted twice", []ItemChange{deleted, deleted}, deleted},
		{"created and updated", []ItemChange{updated, created}, created},
		{"several versions", []ItemChange{updated, later, updated}, ItemChange{Kind: Updated, ID: "a"}},
		{"created, then updated", []ItemChange{later, created}, ItemChange{Kind: Created, ID: "a"}},
		{"created and deleted", []ItemChange{created, deleted}, unsure},
		{"updated and deleted", []ItemChange{deleted, later, deleted}, unsure},
		{"created again", []ItemChange{created, deleted, created}, unsure},
	} {
		slices.Reverse(tt.page) // both orders give the same
		for range 2 {
			slices.Reverse(tt.page)
			if got := Fold(tt.page); !slices.Equal(got, []ItemChange{tt.want}) {
				t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
			}
		}
	}
}

func TestFoldOrder(t *testing.T) {
	page := []ItemChange{{Kind: Updated, ID: "c"}, {Kind: Deleted, ID: "b"}, {Kind: Updated, ID: "c"}, {Kind: Created, ID: "a"}}
	want := []ItemChange{{Kind: Created, ID: "a"}, {Kind: Deleted, ID: "b"}, {Kind: Updated, ID: "c"}}
	if got := Fold(page); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v (newest to oldest turned round)", got, want)
	}
	if got := Fold(nil); len(got) != 0 {
		t.Errorf("nothing folds to %+v", got)
	}
	if got := Fold([]ItemChange{{Kind: Deleted, ID: "A"}, {Kind: Created, ID: "a"}}); len(got) != 2 {
		t.Errorf("ids are case-sensitive: %+v", got)
	}
}

func TestFoldProperties(t *testing.T) {
	entry := rapid.Custom(func(t *rapid.T) ItemChange {
		c := ItemChange{Kind: rapid.SampledFrom([]ChangeKind{Created, Updated, Deleted}).Draw(t, "kind"), ID: rapid.SampledFrom([]string{"a", "b", "c", "A"}).Draw(t, "id")}
		if c.Kind != Deleted {
			c.ChangeKey = rapid.SampledFrom([]string{"1", "2"}).Draw(t, "ck")
		}
		return c
	})
	byID := func(all []ItemChange) map[string]ItemChange {
		m := map[string]ItemChange{}
		for _, c := range all {
			m[c.ID] = c
		}
		return m
	}
	rapid.Check(t, func(t *rapid.T) {
		page := rapid.SliceOfN(entry, 0, 12).Draw(t, "page")
		folded := Fold(page)
		result := byID(folded)
		if len(result) != len(folded) || len(result) != len(byID(page)) {
			t.Fatalf("%+v folds to %+v", page, folded)
		}
		if any := byID(Fold(rapid.Permutation(page).Draw(t, "order"))); !maps.Equal(any, result) {
			t.Errorf("the order matters: %+v and %+v", any, result)
		}
		for _, c := range page {
			if r := result[c.ID]; c.Kind != Deleted && r.Kind == Deleted || c.Kind == Deleted && r.Kind != Deleted && !r.Unsure {
				t.Errorf("%+v became %+v", c, r)
			}
		}
	})
}
