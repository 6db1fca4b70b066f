package worker

import (
	"context"

	"roomsync/internal/calsync"
)

// To a delegate, Exchange says "not found" of what he has no rights to. So a delegate's worker takes an item for
// deleted only when SyncFolderItems names it as deleted; or, after a listing from nothing, when the complete listing
// lacks it, GetItem does not find it, and the calendar can still be read right after. Otherwise nothing is said.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/exchange-web-services/handling-delegation-related-errors-in-ews-in-exchange

// reading is a way to read items in full: Get or Masters of a [calsync.Reader].
type reading func(ctx context.Context, t calsync.Target, ids []string) ([]calsync.Result, error)

// ask reads items, one result for each id in the same order. An item's own trouble stays in its result; trouble of the
// mailbox, wherever it shows, is an error. Items that a stopped batch left alone are asked for again.
func (r *run) ask(ctx context.Context, read reading, ids []string) ([]calsync.Result, error) {
	all := make([]calsync.Result, len(ids))
	for places := numbers(len(ids)); len(places) > 0; {
		some := make([]string, len(places))
		for i, place := range places {
			some[i] = ids[place]
		}
		results, err := read(ctx, r.target(), some)
		if err == nil {
			err = r.sure(ctx, results)
		}
		if err != nil {
			return nil, err
		}
		var left []int
		for i, res := range results {
			switch {
			case res.Err != nil && res.Err.Code == "ErrorBatchProcessingStopped" && i > 0:
				left = append(left, places[i])
			case res.Err != nil && !r.itemOnly(res.Err):
				return nil, res.Err
			default:
				all[places[i]] = res
			}
		}
		places = left
	}
	return all, nil
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// sure makes certain, when something was not found or refused, that a delegate still has his rights: without them the
// answers would say nothing about the items. It is asked right after.
func (r *run) sure(ctx context.Context, results []calsync.Result) error {
	if !r.w.opts.Delegate {
		return nil
	}
	for _, res := range results {
		if res.Err != nil && (gone(res.Err) || res.Err.Code == "ErrorAccessDenied") {
			return r.readable(ctx)
		}
	}
	return nil
}

// readable is an error unless the calendar can be read now.
func (r *run) readable(ctx context.Context) error {
	rights, err := r.w.cal.Rights(ctx, r.target())
	if err == nil && rights.Told && !rights.Read {
		err = &calsync.Fault{Operation: "GetFolder", Kind: calsync.FaultRights, Status: 200}
	}
	return err
}
