package ews

import (
	"context"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

var resolveNames = newOperation("ResolveNames")

// ResolveNames looks a name or an address up in the directory. It returns every match, none when nothing matches.
// Those without an SMTP address have an empty Address.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/resolvenames-operation
func (c *Client) ResolveNames(ctx context.Context, t calsync.Target, entry string) ([]calsync.Person, error) {
	var people []calsync.Person
	err := c.one(ctx, call{op: resolveNames, target: t, body: func(r *request) { r.resolveNames(entry) }}, func(m *message) (fault *calsync.Fault) {
		people, fault = m.resolutions()
		return fault
	})
	if err != nil {
		return nil, err
	}
	return people, nil
}

func (r *request) resolveNames(entry string) {
	r.raw(`<m:ResolveNames ReturnFullContactData="false" SearchScope="ActiveDirectory"><m:UnresolvedEntry>`)
	r.text(entry)
	r.raw(`</m:UnresolvedEntry></m:ResolveNames>`)
}

// resolutions reads a ResolveNamesResponseMessage. Several matches come as a Warning, no match as an Error.
func (m *message) resolutions() ([]calsync.Person, *calsync.Fault) {
	var people []calsync.Person
	for d := m.Depth(); m.next(d); {
		if !m.Is(soap.NSMessages, "ResolutionSet") {
			continue
		}
		for d := m.Depth(); m.Child(d); {
			if !m.Is(soap.NSTypes, "Resolution") {
				continue
			}
			for d := m.Depth(); m.Child(d); {
				if m.Is(soap.NSTypes, "Mailbox") {
					people = append(people, readMailbox(m.Scanner))
				}
			}
		}
	}
	f := m.fault()
	switch {
	case f == nil, f.Code == ErrorNameResolutionMultipleResults:
		return people, nil
	case f.Code == ErrorNameResolutionNoResults:
		return nil, nil
	}
	return nil, f
}
