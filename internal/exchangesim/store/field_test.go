package store

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestEveryPropertyIsCompared: a property that is forgotten in parts would be lost in exceptions and in conflicts.
func TestEveryPropertyIsCompared(t *testing.T) {
	if len(parts) != fieldCount || fieldEnd != 1<<fieldCount {
		t.Errorf("%d parts, %d bits", len(parts), fieldCount)
	}
	// what the server itself sets
	own := []string{"ID", "ChangeKey", "FolderID", "Created", "LastModified", "LastModifier", "Type", "OriginalStart", "MasterID"}
	kind := reflect.TypeFor[Item]()
	for i := range kind.NumField() {
		field := kind.Field(i)
		var changed, copied Item
		fillValue(reflect.ValueOf(&changed).Elem().Field(i))
		what := diff(&Item{}, &changed)
		if (what == 0) != slices.Contains(own, field.Name) {
			t.Errorf("a change of %s gives %b", field.Name, what)
		}
		for _, p := range parts {
			if what&p.bit != 0 {
				p.copy(&copied, &changed)
			}
		}
		if what != 0 && diff(&copied, &changed) != 0 {
			t.Errorf("%s is compared but not copied", field.Name)
		}
	}
}

// fillValue gives a value that is not zero.
func fillValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[PropertyKey][]string{{Name: "x"}: {"x"}}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(now))
			return
		}
		fillValue(v.Field(0))
	}
}
