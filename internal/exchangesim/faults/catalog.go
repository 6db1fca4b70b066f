package faults

import "strings"

// Fault is one entry of the catalogue: something that really goes wrong between a client and Exchange or Entra.
type Fault struct {
	ID    string `json:"id"`    // H… transport and HTTP, E… SOAP and EWS, T… token endpoint
	Title string `json:"title"` // what the client sees
	// Operation is what a rule hits that names no operation: a list of EWS operations, "*" for all of them, "token" or
	// "discovery".
	Operation string `json:"operation,omitempty"`
	When      When   `json:"when,omitempty"` // where a rule does not say it
	// Item is set of faults of one item of a batch: the item that a rule hits which does not name one.
	Item *Item `json:"item,omitempty"`
	// Then is what happens, one after the other where there are several. Empty: the simulator cannot do it.
	Then []Then `json:"then,omitempty"`
}

// Implemented says whether a rule may name the fault.
func (f Fault) Implemented() bool { return len(f.Then) > 0 }

// Catalog lists all faults, those that are not implemented included. The caller may not change it.
func Catalog() []Fault { return catalog }

// Lookup finds a fault by id, in upper or lower case.
func Lookup(id string) (Fault, bool) {
	f, ok := byID[strings.ToUpper(id)]
	return f, ok
}

// byID completes the catalogue and indexes it: a fault hits every EWS operation, or the token endpoint, before the
// effect, unless its line says otherwise.
var byID = func() map[string]Fault {
	m := make(map[string]Fault, len(catalog))
	for i := range catalog {
		f := &catalog[i]
		if f.When == "" {
			f.When = Before
		}
		if f.Operation == "" && f.ID[0] == 'T' {
			f.Operation = "token"
		}
		if f.Operation == "" {
			f.Operation = "*"
		}
		m[f.ID] = *f
	}
	return m
}()

const (
	writes    = "CreateItem,UpdateItem,DeleteItem,MoveItem,CopyItem"
	html      = "text/html; charset=utf-8"
	iisError  = "<!DOCTYPE html><html><head><title>Runtime Error</title></head><body><h1>Server Error in '/EWS' Application.</h1><h2><i>Runtime Error</i></h2></body></html>"
	proxyPage = "<html><head><title>Bad Gateway</title></head><body><center><h1>Bad Gateway</h1></center></body></html>"
	loginPage = "<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><form method=\"post\" action=\"/common/login\"><input name=\"loginfmt\" type=\"email\"></form></body></html>"
	soap12    = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang="en">not SOAP 1.1</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`
	bearer    = `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`
	expired   = `2000002;reason="The token has expired.";error_category="invalid_token"`
)

func status(code int) Then { return Then{Status: code} }

func page(code int, body string) Then {
	return Then{Status: code, Headers: map[string]string{"Content-Type": html}, Body: body}
}

func header(code int, kv ...string) Then {
	h := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		h[kv[i]] = kv[i+1]
	}
	return Then{Status: code, Headers: h}
}

// faulty words each code as a SOAP fault, response as the error of a response message.
func faulty(codes ...string) []Then   { return coded(SOAPFault, codes) }
func response(codes ...string) []Then { return coded(ResponseMessage, codes) }

func coded(form Form, codes []string) []Then {
	var all []Then
	for _, c := range codes {
		all = append(all, Then{Code: c, Form: form})
	}
	return all
}

func aadsts(codes ...int) []Then {
	var all []Then
	for _, c := range codes {
		all = append(all, Then{AADSTS: c})
	}
	return all
}

func tokenBody(json string) Then {
	return Then{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: json}
}
