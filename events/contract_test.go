package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// dataTypes says which Go type is the data of what.
var dataTypes = map[string]reflect.Type{
	TypeBookingUpserted:  reflect.TypeFor[BookingUpserted](),
	TypeBookingCancelled: reflect.TypeFor[BookingCancelled](),
	TypeCalendarChanged:  reflect.TypeFor[CalendarChanged](),
	TypeBookingApplied:   reflect.TypeFor[BookingApplied](),
	TypeBookingConflict:  reflect.TypeFor[BookingConflict](),
	TypeBookingRejected:  reflect.TypeFor[BookingRejected](),
	TypeAccessDenied:     reflect.TypeFor[AccessDenied](),
	TypeAccessRestored:   reflect.TypeFor[AccessRestored](),
	TypeMailboxBlocked:   reflect.TypeFor[MailboxBlocked](),
	TypeSyncCompleted:    reflect.TypeFor[SyncCompleted](),
	SchemaMailbox:        reflect.TypeFor[Mailbox](),
}

var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	all := map[string]*jsonschema.Schema{}
	for name := range dataTypes {
		raw, ok := Schema(name)
		if !ok {
			return nil, fmt.Errorf("no schema of %s", name)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("urn:roomsync:"+name, doc); err != nil {
			return nil, err
		}
		if all[name], err = c.Compile("urn:roomsync:" + name); err != nil {
			return nil, err
		}
	}
	return all, nil
})

func validate(name string, data []byte) error {
	schemas, err := compiled()
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return schemas[name].Validate(doc)
}

func TestEveryTypeHasItsData(t *testing.T) {
	for _, name := range Types() {
		if dataTypes[name] == nil {
			t.Errorf("%s: no Go type", name)
		}
		if _, ok := Schema(name); !ok {
			t.Errorf("%s: no schema", name)
		}
	}
	if entries, _ := schemas.ReadDir("schema"); len(entries) != len(dataTypes) || len(dataTypes) != len(Types())+1 {
		t.Errorf("%d schemas, %d data types, %d event types and the mailbox", len(entries), len(dataTypes), len(Types()))
	}
	if _, ok := Schema("exchange.unknown.v1"); ok {
		t.Error("a schema of an unknown type")
	}
}

// The property names of each schema are those of the Go type, and required are those that are always written.
func TestSchemasFitTypes(t *testing.T) {
	for name, typ := range dataTypes {
		root := rawSchema(t, name)
		compareSchema(t, name, root, root, typ)
	}
}

type object = map[string]any

func rawSchema(t interface{ Fatal(...any) }, name string) object {
	raw, _ := Schema(name)
	var root object
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// follow resolves a reference into the schema's own $defs.
func follow(root, schema object) object {
	if ref, ok := schema["$ref"].(string); ok {
		return root["$defs"].(object)[strings.TrimPrefix(ref, "#/$defs/")].(object)
	}
	return schema
}

// jsonFields maps the names of a type's JSON object to its fields.
func jsonFields(typ reflect.Type) (fields map[string]reflect.StructField, always []string) {
	fields = map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields[name] = f
		if options == "" {
			always = append(always, name)
		}
	}
	slices.Sort(always)
	return fields, always
}

func compareSchema(t *testing.T, where string, root, schema object, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	schema = follow(root, schema)
	kinds := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Slice: "array", reflect.Struct: "object"}
	want := kinds[typ.Kind()]
	if typ == reflect.TypeFor[time.Time]() {
		want = "string"
		if schema["format"] != "date-time" {
			t.Errorf("%s: format %v, want date-time", where, schema["format"])
		}
	}
	if schema["type"] != want {
		t.Errorf("%s: type %v, want %s", where, schema["type"], want)
		return
	}
	switch want {
	case "array":
		compareSchema(t, where+"[]", root, schema["items"].(object), typ.Elem())
	case "object":
		compareObject(t, where, root, schema, typ)
	}
}

func compareObject(t *testing.T, where string, root, schema object, typ reflect.Type) {
	t.Helper()
	if _, ok := schema["additionalProperties"]; ok {
		t.Errorf("%s: additionalProperties closes the object; fields may be added", where)
	}
	fields, always := jsonFields(typ)
	properties := schema["properties"].(object)
	if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("%s: the schema's properties are %q, the type's %q", where, got, want)
	}
	var required []string
	for _, name := range schema["required"].([]any) {
		required = append(required, name.(string))
	}
	slices.Sort(required)
	if !slices.Equal(required, always) {
		t.Errorf("%s: the schema requires %q, the type always writes %q", where, required, always)
	}
	for name, f := range fields {
		if p, ok := properties[name].(object); ok {
			compareSchema(t, where+"."+name, root, p, f.Type)
		}
	}
}

// A zero value writes exactly what is required: the encoders written by hand keep to the tags.
func TestZeroValues(t *testing.T) {
	for _, typ := range append(slices.Collect(maps.Values(dataTypes)), reflect.TypeFor[Change](), reflect.TypeFor[Recurrence](),
		reflect.TypeFor[Occurrence](), reflect.TypeFor[BookingException]()) {
		_, always := jsonFields(typ)
		var members object
		if err := json.Unmarshal(must(json.Marshal(reflect.Zero(typ).Interface())), &members); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, always) {
			t.Errorf("%s writes %q, want %q", typ, got, always)
		}
	}
}

// Whatever a schema allows survives decoding and encoding, unknown fields included, and is still what the schema
// allows.
func TestRoundTrip(t *testing.T) {
	for name, typ := range dataTypes {
		root := rawSchema(t, name)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			doc := drawObject(t, root, root, typ)
			data := must(json.Marshal(doc))
			if err := validate(name, data); err != nil {
				t.Fatalf("the test drew what the schema refuses: %v", err)
			}
			v := reflect.New(typ)
			if err := json.Unmarshal(data, v.Interface()); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(name, again); err != nil {
				t.Errorf("the schema refuses what was written: %v", err)
			}
			var got any
			if err := json.Unmarshal(again, &got); err != nil {
				t.Fatal(err)
			}
			var want any
			_ = json.Unmarshal(data, &want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read  %s\nwrote %s", data, again)
			}
		}))
	}
}

// draw makes a value that the schema allows and that is not the zero value.
func draw(t *rapid.T, name string, root, schema object, typ reflect.Type) any {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	schema = follow(root, schema)
	if values, ok := schema["enum"].([]any); ok {
		return rapid.SampledFrom(values).Draw(t, name)
	}
	switch schema["type"] {
	case "boolean":
		return true
	case "integer":
		least, _ := schema["minimum"].(float64)
		return rapid.IntRange(max(int(least), 1), max(int(least), 31)).Draw(t, name)
	case "array":
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any {
			return draw(t, name, root, schema["items"].(object), typ.Elem())
		}), 1, 3).Draw(t, name)
	case "object":
		return drawObject(t, root, schema, typ)
	}
	return drawText(t, name, schema)
}

func drawText(t *rapid.T, name string, schema object) string {
	at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, name), 0).UTC()
	switch schema["format"] {
	case "date-time":
		return at.Format(time.RFC3339)
	case "date":
		return at.Format(time.DateOnly)
	}
	return rapid.StringN(3, 20, 60).Draw(t, name)
}

func drawObject(t *rapid.T, root, schema object, typ reflect.Type) object {
	schema = follow(root, schema)
	doc := object{}
	required := slices.Clone(schema["required"].([]any))
	if schema["minProperties"] != nil || reflect.TypeFor[TimeZone]() == typ {
		required = append(required, "windows") // a booking must name its zone
	}
	if schema["if"] != nil { // all-day or not
		doc["allDay"] = true
		branch := "then"
		if rapid.Bool().Draw(t, "timed") {
			delete(doc, "allDay")
			branch = "else"
		}
		required = append(required, schema[branch].(object)["required"].([]any)...)
	}
	fields, _ := jsonFields(typ)
	properties := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if name != "allDay" && (slices.Contains(required, any(name)) || rapid.Bool().Draw(t, "has "+name)) {
			doc[name] = draw(t, name, root, properties[name].(object), fields[name].Type)
		}
	}
	if _, grows := typ.FieldByName("Extra"); grows && rapid.Bool().Draw(t, "unknown fields") {
		doc["x"+rapid.String().Draw(t, "unknown name")] = object{"list": []any{nil, true, 1.5, rapid.String().Draw(t, "unknown")}}
	}
	return doc
}
