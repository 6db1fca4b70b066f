package admin

import (
	"fmt"
	"net/url"
	"time"

	"roomsync/internal/exchangesim/store"
)

// wandering moves, copies and restores an appointment, and has a room answer an invitation.
func (w *world) wandering() {
	t := w.t
	list := func(folder string) []any { return w.do("GET", anna+"/items?folder="+folder, "", 200)["items"].([]any) }
	before := len(list("calendar"))
	made := w.do("POST", anna+"/items", `{"subject": "Wanderer", "start": "2026-12-01T09:00:00Z"}`, 201)
	backup := w.do("POST", anna+"/snapshots", "", 201)
	if backup["items"].(float64) < float64(before+1) {
		t.Errorf("backup %v of %d appointments", backup, before+1)
	}
	path := func(item map[string]any) string { return anna + "/items/" + url.PathEscape(item["id"].(string)) }
	out := w.do("POST", path(made)+"/move", `{"folder": "inbox"}`, 200)
	if out["id"] == made["id"] || out["uid"] != made["uid"] || len(list("calendar")) != before {
		t.Errorf("moved out: %v", out)
	}
	w.do("GET", path(made), "", 404)
	back := w.do("POST", path(out)+"/move", `{}`, 200)
	twin := w.do("POST", path(back)+"/copy", `{"folder": "calendar"}`, 201)
	if twin["uid"] != made["uid"] || twin["id"] == back["id"] || len(list("calendar")) != before+2 {
		t.Errorf("copied: %v", twin)
	}
	w.do("POST", path(back)+"/copy", `{"folder": "attic"}`, 400)
	restore := func(newIDs bool) {
		w.do("POST", anna+"/restore", fmt.Sprintf(`{"snapshot": %v, "newIds": %v}`, backup["snapshot"], newIDs), 204)
		if n := len(list("calendar")); n != before+1 {
			t.Errorf("%d appointments after the restore, want %d", n, before+1)
		}
	}
	restore(false)
	if got := w.do("GET", path(made), "", 200); got["changeKey"] != made["changeKey"] {
		t.Errorf("restored in place: %v", got)
	}
	restore(true)
	w.do("GET", path(made), "", 404)
	w.do("POST", anna+"/restore", `{"snapshot": 99}`, 400)
	w.do("POST", "/admin/mailboxes/room0001@contoso.example/restore", fmt.Sprintf(`{"snapshot": %v}`, backup["snapshot"]), 400)
	w.attendant()
}

func (w *world) attendant() {
	t := w.t
	const room = "/admin/mailboxes/room0001@contoso.example"
	w.do("PUT", room+"/attendant", `{"enabled": true, "delay": "-3s"}`, 400)
	w.do("PUT", room+"/attendant", `{"enabled": true, "delay": "0s"}`, 204)
	m := w.Company.Mailbox("anna@contoso.example")
	it, err := m.Create(store.Actor{}, m.Calendar(), &store.Item{Subject: "Secret", Start: time.Date(2027, 6, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2027, 6, 1, 10, 0, 0, 0, time.UTC),
		Resources: []store.Attendee{{Person: store.Person{Address: "room0001@contoso.example"}}}})
	if err != nil {
		t.Fatal(err)
	}
	m.Invite(store.Actor{}, store.InviteRequest, it, it.Resources, "")
	got := w.do("GET", "/admin/invitations", "", 200)
	if list, counts := got["invitations"].([]any), got["counts"].([]any); len(list) != 1 || len(counts) != 1 || counts[0].(map[string]any)["requests"] != 1.0 {
		t.Errorf("invitations %v", got)
	}
	if got := w.do("GET", "/admin/invitations?since=1", "", 200); len(got["invitations"].([]any)) != 0 || got["last"] != 1.0 {
		t.Errorf("invitations since then %v", got)
	}
	mine := w.do("GET", anna+"/items/"+url.PathEscape(it.ID), "", 200)
	if mine["responses"].(map[string]any)["room0001@contoso.example"] != "Accept" {
		t.Errorf("the organizer's copy is %v", mine)
	}
	theirs := w.do("GET", room+"/items?from=2027-06-01T08:00:00Z&to=2027-06-01T11:00:00Z", "", 200)["items"].([]any)
	if len(theirs) != 1 || theirs[0].(map[string]any)["subject"] != "Anna" {
		t.Errorf("the room shows %v", theirs)
	}
	w.do("PUT", room+"/attendant", `{"enabled": false}`, 204)
}
