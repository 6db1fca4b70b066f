package events

// Mailbox is an entry of the KV bucket "mailboxes": a calendar that ROOMS or an operator wants synchronized. The key
// is the mailbox token of Address.
type Mailbox struct {
	Address string `json:"address"`
	Mode    string `json:"mode"`             // one of the Mode constants
	URL     string `json:"url,omitempty"`    // EWS endpoint; the fleet's default when absent
	Folder  string `json:"folder,omitempty"` // folder id; the default calendar when absent
	Enabled bool   `json:"enabled"`
	// Fields names the optional properties that events carry: subject, location, organizer, attendees.
	// Absent means subject, location and organizer; an empty list means none.
	Fields []string `json:"fields,omitzero"`
	// PastDays and FutureDays set the window around today; 0 means the fleet's default (7 and 365).
	PastDays   int `json:"pastDays,omitempty"`
	FutureDays int `json:"futureDays,omitempty"`
	// Winner says whose change stands where ROOMS and Exchange changed the same of a booking: one of the Winner
	// constants, WinnerROOMS when absent.
	Winner string `json:"winner,omitempty"`
	// Resource says that it is a room or a thing: what its booking attendant makes of subjects and bodies does not count,
	// and a booking is not written over another one.
	Resource bool  `json:"resource,omitempty"`
	Extra    Extra `json:"-"`
}

// Who wins where both sides changed the same.
const (
	WinnerROOMS    = "rooms"
	WinnerExchange = "exchange"
	WinnerNewest   = "newest" // whose change was made later
)

// Synchronization modes, with ROOMS' names.
const (
	ModeO365             = "O365"             // Exchange Online, notified
	ModeO365Pull         = "O365Pull"         // Exchange Online, polled
	ModeExchange2010     = "Exchange2010"     // on premises, notified
	ModeExchange2013     = "Exchange2013"     // on premises, notified
	ModeExchange2016     = "Exchange2016"     // on premises, notified
	ModeExchange2016Pull = "Exchange2016Pull" // on premises, polled
)
