package ewsapi

import (
	"strconv"
	"strings"

	"roomsync/internal/exchangesim/store"
)

// maxNames is how many candidates ResolveNames returns at most.
const maxNames = 100

// resolveNames is ResolveNames over the organization's mailboxes: a prefix of a name's words or of the address.
func (r *request) resolveNames() {
	entry := strings.ToLower(r.body.val("UnresolvedEntry"))
	entry = strings.TrimPrefix(entry, "smtp:")
	var found []*store.Mailbox
	for _, m := range r.h.company.Mailboxes() {
		if strings.HasPrefix(m.Address, entry) || wordPrefix(strings.ToLower(m.Name), entry) || strings.HasPrefix(strings.ToLower(m.Name), entry) {
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		r.failure(&store.Error{Code: "ErrorNameResolutionNoResults"})
		return
	}
	code := "NoError"
	if len(found) == 1 {
		r.success()
	} else {
		code = "ErrorNameResolutionMultipleResults"
		r.openMessage("Warning")
		r.w.errorMessage(&store.Error{Code: code})
	}
	r.codes = append(r.codes, code)
	r.writeResolutions(found)
	r.closeMessage()
}

func (r *request) writeResolutions(found []*store.Mailbox) {
	shown := found[:min(len(found), maxNames)]
	r.w.raw(`<m:ResolutionSet TotalItemsInView="`, strconv.Itoa(len(shown)), `" IncludesLastItemInRange="`, strconv.FormatBool(len(shown) == len(found)), `">`)
	for _, m := range shown {
		r.w.raw(`<t:Resolution>`)
		r.w.mailbox("Mailbox", store.Person{Name: m.Name, Address: m.Address}, "Mailbox")
		r.w.raw(`</t:Resolution>`)
	}
	r.w.raw(`</m:ResolutionSet>`)
}

func (r *request) getRoomLists() {
	r.one(func() error {
		r.w.raw(`<m:RoomLists>`)
		for _, l := range r.h.company.RoomLists() {
			r.w.mailbox("Address", store.Person{Name: l.Name, Address: l.Address}, "PublicDL")
		}
		r.w.raw(`</m:RoomLists>`)
		return nil
	})
}

func (r *request) getRooms() {
	r.one(func() error {
		want := r.body.kid("RoomList").val("EmailAddress")
		for _, l := range r.h.company.RoomLists() {
			if strings.EqualFold(l.Address, want) {
				r.writeRooms(l)
				return nil
			}
		}
		return &store.Error{Code: "ErrorNameResolutionNoResults"}
	})
}

func (r *request) writeRooms(l store.RoomList) {
	r.w.raw(`<m:Rooms>`)
	for _, address := range l.Rooms {
		if m := r.h.company.Mailbox(address); m != nil {
			r.w.raw(`<t:Room>`)
			r.w.mailbox("Id", store.Person{Name: m.Name, Address: m.Address}, "Mailbox")
			r.w.raw(`</t:Room>`)
		}
	}
	r.w.raw(`</m:Rooms>`)
}
