package events_test

import (
	"encoding/json"
	"fmt"
	"time"

	"roomsync/events"
)

// What a client makes of a message from EXCHANGE_EVENTS.
func ExampleParse() {
	header := map[string][]string{
		"ce-specversion": {"1.0"}, "ce-id": {"17"}, "ce-source": {"urn:roomsync:contoso"},
		"ce-type": {events.TypeAccessDenied}, "content-type": {"application/json"},
	}
	payload := []byte(`{"mailbox":"room0001@contoso.example","since":"2026-11-24T07:00:00Z","operation":"SyncFolderItems",
		"httpStatus":403,"hint":"look at the application access policy","nextCheck":"2026-11-24T08:00:00Z"}`)

	e, err := events.Parse(header, payload)
	if err != nil {
		fmt.Println(err) // not a CloudEvent: nothing that a second attempt would change
		return
	}
	switch e.Type {
	case events.TypeAccessDenied:
		var denied events.AccessDenied
		if err := json.Unmarshal(e.Data, &denied); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(denied.Mailbox, denied.Status, denied.Hint)
	default: // a type of a later version: ignore it
	}
	// Output: room0001@contoso.example 403 look at the application access policy
}

// What ROOMS sends when a booking was cancelled.
func ExampleEvent_Header() {
	const mailbox = "Room0001@contoso.example"
	data, _ := json.Marshal(events.BookingCancelled{BookingID: "ROOMS-4711", Revision: 3, Mailbox: mailbox})
	e := events.Event{
		ID: "ROOMS-4711/3", Source: "urn:rooms:contoso", Type: events.TypeBookingCancelled,
		Time: time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC), Subject: events.MailboxToken(mailbox), Data: data,
	}
	fmt.Println(events.ChangesSubject(e.Subject))
	fmt.Println(e.Header()["Nats-Msg-Id"])
	fmt.Println(string(e.Data))
	// Output:
	// rooms.changes.room0001=40contoso=2Eexample
	// [urn:rooms:contoso#ROOMS-4711/3]
	// {"bookingId":"ROOMS-4711","revision":3,"mailbox":"Room0001@contoso.example"}
}
