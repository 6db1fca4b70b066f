package calsync

import "roomsync/events"

// Exchange's words (types.xsd: LegacyFreeBusyType, SensitivityChoicesType, ResponseTypeType) and the contract's.
var (
	freeBusyWords = map[string]string{
		"":                 "",
		"Free":             events.Free,
		"Tentative":        events.Tentative,
		"Busy":             events.Busy,
		"OOF":              events.OutOfOffice,
		"WorkingElsewhere": events.WorkingElsewhere,
		"NoData":           events.NoData,
	}
	sensitivityWords = map[string]string{
		"":             "",
		"Normal":       events.Normal,
		"Personal":     events.Personal,
		"Private":      events.Private,
		"Confidential": events.Confidential,
	}
	responseWords = map[string]string{
		"":                   "",
		"Unknown":            "unknown",
		"Organizer":          "organizer",
		"Tentative":          "tentative",
		"Accept":             "accept",
		"Decline":            "decline",
		"NoResponseReceived": "noResponseReceived",
	}
)

func freeBusy(word string) string {
	if w, ok := freeBusyWords[word]; ok {
		return w
	}
	return events.NoData
}

// sensitivity takes a word that it does not know for the strictest.
func sensitivity(word string) string {
	if w, ok := sensitivityWords[word]; ok {
		return w
	}
	return events.Confidential
}

func response(word string) string {
	if w, ok := responseWords[word]; ok {
		return w
	}
	return "unknown"
}

// private says whether only the times may be told. Exchange gives every item a sensitivity (MS-OXWSCORE: Normal is
// the default), so one that was not given is normal.
func private(a Appointment) bool {
	s := sensitivity(a.Sensitivity)
	return s != "" && s != events.Normal
}
