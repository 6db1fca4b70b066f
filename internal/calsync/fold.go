package calsync

import "slices"

// Fold makes of a page one entry for each item. A page may name an item several times, and although Microsoft
// documents an order (newest to oldest, since Exchange 2010 SP2:
// https://learn.microsoft.com/exchange/client-developer/exchange-web-services/mailbox-synchronization-and-ews-in-exchange)
// nothing here depends on it:
//
//   - entries of one kind, or of Created and Updated, are one entry: Created if any is. Its change key is empty where
//     they name different ones, because which is the newest is not known.
//   - Deleted and anything else contradict each other: the item may be gone, or be there again. They become an Updated
//     entry without change key that is Unsure: whoever acts on it must read the item first, and takes "not found" for
//     deleted.
//
// The result runs opposite to the page, thus oldest first if the page kept to the documented order: it is the order in
// which ROOMS wants to be told.
func Fold(changes []ItemChange) []ItemChange {
	position := make(map[string]int, len(changes))
	var folded []ItemChange
	for _, c := range changes {
		i, seen := position[c.ID]
		if !seen {
			position[c.ID] = len(folded)
			folded = append(folded, c)
			continue
		}
		folded[i] = merge(folded[i], c)
	}
	slices.Reverse(folded)
	return folded
}

func merge(a, b ItemChange) ItemChange {
	switch {
	case a.Unsure || b.Unsure || (a.Kind == Deleted) != (b.Kind == Deleted):
		return ItemChange{Kind: Updated, ID: a.ID, Unsure: true}
	case b.Kind == Created:
		a.Kind = Created
	}
	if a.ChangeKey != b.ChangeKey {
		a.ChangeKey = ""
	}
	return a
}
