package events

import (
	"embed"
	"slices"
)

//go:embed schema/*.json
var schemas embed.FS

//go:embed asyncapi.yaml
var asyncAPI []byte

// SchemaMailbox names the schema of [Mailbox].
const SchemaMailbox = "mailbox.v1"

// Types returns every event type of the contract, those of ROOMS first.
func Types() []string {
	return []string{
		TypeBookingUpserted, TypeBookingCancelled,
		TypeCalendarChanged, TypeBookingApplied, TypeBookingConflict, TypeBookingRejected,
		TypeAccessDenied, TypeAccessRestored, TypeMailboxBlocked, TypeSyncCompleted,
	}
}

// Schema returns the JSON Schema (2020-12) of the data of an event type, or of [SchemaMailbox]; false when there is
// none of that name.
func Schema(name string) ([]byte, bool) {
	b, err := schemas.ReadFile("schema/" + name + ".json")
	return b, err == nil
}

// AsyncAPI returns the AsyncAPI 3.0 document (YAML) of the whole contract.
func AsyncAPI() []byte { return slices.Clone(asyncAPI) }
