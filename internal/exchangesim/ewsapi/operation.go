package ewsapi

import (
	"strings"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// operation is one EWS operation.
type operation struct {
	name string
	// batch names the element of the request whose children are answered by one response message each; empty where
	// there is always one.
	batch string
	// tail is what an error message of the operation ends with.
	tail string
	form form
	run  func(*request)
}

// form is how an answer is wrapped.
type form int

const (
	inMessages     form = iota // ResponseMessages with one message for each item
	flat                       // the response is the message itself
	inAvailability             // FreeBusyResponseArray
)

// wrappers stand around the response messages.
var wrappers = [...][2]string{
	inMessages:     {`<m:ResponseMessages>`, `</m:ResponseMessages>`},
	flat:           {},
	inAvailability: {`<m:FreeBusyResponseArray>`, `</m:FreeBusyResponseArray>`},
}

var operations map[string]*operation

func init() {
	const noItems, noFolders = `<m:Items/>`, `<m:Folders/>`
	operations = map[string]*operation{}
	for _, op := range []*operation{
		{name: "GetFolder", batch: "FolderIds", tail: noFolders, run: (*request).getFolder},
		{name: "FindFolder", batch: "ParentFolderIds", run: (*request).findFolder},
		{name: "SyncFolderHierarchy", run: (*request).syncHierarchy},
		{name: "SyncFolderItems", tail: `<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>`, run: (*request).syncItems},
		{name: "FindItem", batch: "ParentFolderIds", run: (*request).findItem},
		{name: "GetItem", batch: "ItemIds", tail: noItems, run: (*request).getItem},
		{name: "CreateItem", batch: "Items", tail: noItems, run: (*request).createItem},
		{name: "UpdateItem", batch: "ItemChanges", tail: noItems, run: (*request).updateItem},
		{name: "DeleteItem", batch: "ItemIds", run: (*request).deleteItem},
		{name: "MoveItem", batch: "ItemIds", tail: noItems, run: (*request).moveItem},
		{name: "CopyItem", batch: "ItemIds", tail: noItems, run: (*request).copyItem},
		{name: "ResolveNames", run: (*request).resolveNames},
		{name: "GetRoomLists", form: flat, run: (*request).getRoomLists},
		{name: "GetRooms", form: flat, run: (*request).getRooms},
		{name: "GetServerTimeZones", tail: `<m:TimeZoneDefinitions/>`, run: (*request).getServerTimeZones},
		{name: "GetUserAvailability", batch: "MailboxDataArray", form: inAvailability, run: (*request).getUserAvailability},
		{name: "Subscribe", run: (*request).unsupported},
		{name: "Unsubscribe", run: (*request).unsupported},
		{name: "GetStreamingEvents", run: (*request).unsupported},
		{name: "GetEvents", run: (*request).unsupported},
	} {
		operations[op.name] = op
	}
}

// batchOf returns the elements that are answered one by one, nil where the operation answers once.
func (op *operation) batchOf(body *element) []*element {
	if op.batch == "" {
		return nil
	}
	if b := body.kid(op.batch); b != nil {
		return b.kids
	}
	return nil
}

func (op *operation) count(body *element) int { return max(1, len(op.batchOf(body))) }

// unsupported refuses notifications, which this server does not have yet.
func (r *request) unsupported() {
	panic(&requestError{code: "ErrorInvalidOperation", text: "Notifications are not supported by this server."})
}

// run performs the operation and returns its answer.
func (r *request) run() (rep reply) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(*requestError)
			if !ok {
				panic(p)
			}
			rep = r.faultReply(e)
		}
	}()
	if err := r.readHeader(); err != nil {
		return r.faultReply(err)
	}
	r.begin()
	r.op.run(r)
	return r.end()
}

func (r *request) begin() {
	r.w.buf = r.w.buf[:0]
	r.w.raw(r.h.header)
	if r.op.form == flat {
		return // the message begins the response
	}
	r.w.raw(`<m:`, r.op.name, `Response xmlns:m="`, nsMessages, `" xmlns:t="`, nsTypes, `">`)
	r.w.raw(wrappers[r.op.form][0])
}

func (r *request) end() reply {
	r.w.raw(wrappers[r.op.form][1], `</m:`, r.op.name, `Response></s:Body></s:Envelope>`)
	return reply{operation: r.op.name, body: r.w.buf}
}

// success begins a response message without an error.
func (r *request) success() {
	r.openMessage("Success")
	r.w.raw(`<m:ResponseCode>NoError</m:ResponseCode>`)
	r.closeHead()
}

func (r *request) openMessage(class string) {
	switch r.op.form {
	case flat:
		r.w.raw(`<m:`, r.op.name, `Response xmlns:m="`, nsMessages, `" xmlns:t="`, nsTypes, `" ResponseClass="`, class, `">`)
	case inAvailability:
		r.w.raw(`<m:FreeBusyResponse><m:ResponseMessage ResponseClass="`, class, `">`)
	default:
		r.w.raw(`<m:`, r.op.name, `ResponseMessage ResponseClass="`, class, `">`)
	}
}

func (r *request) closeHead() {
	if r.op.form == inAvailability {
		r.w.raw(`</m:ResponseMessage>`)
	}
}

func (r *request) closeMessage() {
	switch r.op.form {
	case inAvailability:
		r.w.raw(`</m:FreeBusyResponse>`)
	case inMessages:
		r.w.raw(`</m:`, r.op.name, `ResponseMessage>`)
	}
}

// failure writes a whole response message with an error.
func (r *request) failure(e *store.Error) {
	r.codes = append(r.codes, e.Code)
	if r.h.opts.Online && e.Code == "ErrorItemNotFound" && e.Text == "" {
		online := *e
		online.Text = textOf(e.Code, "") + ", The process failed to get the correct properties."
		e = &online
	}
	r.openMessage("Error")
	r.w.errorMessage(e)
	r.closeHead()
	r.w.raw(r.op.tail)
	r.closeMessage()
}

// one writes one response message: what write appends, or its error instead.
func (r *request) one(write func() error) *store.Error {
	mark := len(r.w.buf)
	r.success()
	if err := write(); err != nil {
		e := itemError(err)
		r.w.buf = r.w.buf[:mark]
		r.failure(e)
		return e
	}
	r.codes = append(r.codes, "NoError")
	r.closeMessage()
	return nil
}

// each answers the elements of a batch in order. After an error that concerns the whole mailbox the rest is not done.
func (r *request) each(write func(e *element) error) {
	stopped := false
	for i, e := range r.op.batchOf(r.body) {
		if stopped {
			r.failure(&store.Error{Code: "ErrorBatchProcessingStopped"})
			continue
		}
		failed := r.one(func() error {
			if f := r.scripted(i, idOf(e)); f != nil {
				return fromFault(f)
			}
			return write(e)
		})
		stopped = failed != nil && stopsBatch[failed.Code]
	}
}

func (r *request) scripted(position int, id string) *hook.ItemFault {
	if i := r.h.opts.Interceptor; i != nil {
		return i.Item(&r.call, position, id)
	}
	return nil
}

// idOf is the id in a batch element: its own, or that of the item it changes or answers.
func idOf(e *element) string {
	for _, a := range e.attrs {
		if a.name == "Id" || a.name == "RecurringMasterId" || a.name == "OccurrenceId" {
			return a.value
		}
	}
	if e.name == "ItemChange" && len(e.kids) > 0 {
		return idOf(e.kids[0])
	}
	if ref := e.kid("ReferenceItemId"); ref != nil {
		return idOf(ref)
	}
	return ""
}

// errorForAll answers with the same error for everything.
func (r *request) errorForAll(f *hook.ItemFault) reply {
	r.codes = r.codes[:0]
	r.begin()
	for range r.op.count(r.body) {
		r.failure(fromFault(f))
	}
	return r.end()
}

// actor names who makes a change, for the effect log.
func (r *request) actor() store.Actor {
	name := r.principal.Address
	if r.mailbox != nil && (name == "" || strings.EqualFold(name, r.mailbox.Address)) {
		name = r.mailbox.Address
	}
	if r.principal.AppID != "" {
		name = r.principal.AppID
	}
	return store.Actor{Name: name, Call: r.call.ID}
}
