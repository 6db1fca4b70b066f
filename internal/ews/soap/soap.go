// Package soap reads and writes the SOAP 1.1 envelopes of Exchange Web Services.
//
// # Reading
//
// [Scanner] is a pull scanner over a complete document in memory. It exists because decoding is where a
// synchronizer's CPU goes, and encoding/xml is an order of magnitude slower at it. It is as strict as encoding/xml
// about well-formedness and stricter about everything an answer of a server has no business to contain:
//
//   - names are resolved to namespace URIs; an undeclared prefix is an error
//   - attributes are separated by white space and unique by URI and local name
//   - DOCTYPE and every other directive, and every processing instruction, are refused; the XML declaration must
//     come first, and only UTF-8 is read (a byte order mark is accepted)
//   - names are ASCII, as all of EWS's are
//   - exactly one root, nothing but white space and comments around it
//   - limits on depth, elements and attributes ([MaxDepth], [MaxElements], [MaxAttributes])
//
// There is one deliberate leniency. Exchange sends characters that XML forbids, such as &#x1; or a raw control byte in
// a subject that was pasted from elsewhere. One of them must not make a whole page unreadable, so each is read as
// U+FFFD, and so is each byte that is not UTF-8. A string that comes out of a Scanner is therefore always valid UTF-8
// and free of such characters; [AppendEscaped] replaces the same characters in the same way, so a text reads back as
// it was written.
//
// # Writing
//
// Requests are built by appending to a byte slice; [AppendEscaped] is all that takes.
package soap

// The namespaces of EWS messages.
//
// Microsoft: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxwscore (section 2.2.1)
const (
	NSEnvelope = "http://schemas.xmlsoap.org/soap/envelope/"
	NSMessages = "http://schemas.microsoft.com/exchange/services/2006/messages"
	NSTypes    = "http://schemas.microsoft.com/exchange/services/2006/types"
	NSErrors   = "http://schemas.microsoft.com/exchange/services/2006/errors"

	nsXML = "http://www.w3.org/XML/1998/namespace"
	nsXSI = "http://www.w3.org/2001/XMLSchema-instance"
	nsXSD = "http://www.w3.org/2001/XMLSchema"
)

// The limits of a document. A document beyond them is refused, not cut.
const (
	// MaxDepth is more than four times what the deepest answer of EWS needs (about 15, a Restriction aside).
	MaxDepth = 64
	// MaxElements holds a page of 512 changes with 60 elements each (31,000), and a batch of 100 meetings with 700
	// attendees of 6 elements each (420,000). Elements cost time and no memory here, so it can be generous.
	MaxElements = 500_000
	// MaxAttributes of one element; EWS uses at most nine, with namespace declarations.
	MaxAttributes = 64
)
