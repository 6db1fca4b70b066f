package ewsapi

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"roomsync/internal/exchangesim/store"
)

// page is the part of a result that an IndexedPageView asks for.
type page struct{ from, to, next, total int }

// findLimit is how many entries one answer holds at most (EWSFindCountLimit).
const findLimit = 1000

func pageOf(view *element, total int) page {
	p := page{to: min(total, findLimit), total: total}
	if view == nil {
		p.next = p.to
		return p
	}
	offset, _ := strconv.Atoi(view.attr("Offset"))
	size := findLimit
	if n, err := strconv.Atoi(view.attr("MaxEntriesReturned")); err == nil {
		size = min(size, n)
	}
	if view.attr("BasePoint") == "End" {
		p.to = max(0, total-offset)
		p.from = max(0, p.to-size)
		p.next = total - p.from
		return p
	}
	p.from = min(offset, total)
	p.to = min(p.from+size, total)
	p.next = p.to
	return p
}

// write writes the paging attributes of a RootFolder.
func (p page) write(w *writer, indexed bool) {
	if indexed {
		w.raw(` IndexedPagingOffset="`, strconv.Itoa(p.next), `"`)
	}
	w.raw(` TotalItemsInView="`, strconv.Itoa(p.total), `" IncludesLastItemInRange="`, strconv.FormatBool(p.next == p.total), `"`)
}

// hierarchyState is a synchronization state for folders: which folder it is of, then which folders there are.
func hierarchyState(root store.Folder, below []store.Folder) string {
	of := sha256.Sum256([]byte("hierarchy" + root.ID))
	all := ""
	for _, f := range below {
		all += f.ID + f.Display
	}
	content := sha256.Sum256([]byte(all))
	b := append(append([]byte{}, of[:]...), of[:16]...)
	b = append(b, content[:]...)
	return base64.StdEncoding.EncodeToString(b)
}
