// Command summary reads go test -json and prints what a person wants of it: a line for each package, the output of
// what failed, every skip with its reason, and "N passed, N failed".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type report struct {
	passed, failed, skipped int
	output                  map[string][]string
}

func main() {
	r := report{output: map[string][]string{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // a build error, not JSON
			continue
		}
		r.take(e)
	}
	name := "go test"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	fmt.Printf("%s: %d passed, %d failed, %d skipped\n", name, r.passed, r.failed, r.skipped)
	if r.failed > 0 || r.passed == 0 {
		os.Exit(1)
	}
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output", "build-fail":
		fmt.Print(e.Output)
	case "pass", "fail", "skip":
		r.end(e, key)
	}
}

func (r *report) end(e event, key string) {
	if e.Test == "" {
		if e.Action != "skip" {
			fmt.Printf("%-4s %6.1fs %s\n", e.Action, e.Elapsed, e.Package)
		}
		if e.Action == "fail" {
			r.failed++
			fmt.Print(strings.Join(r.output[key], ""))
		}
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Print(strings.Join(r.output[key], ""))
	case "skip":
		r.skipped++
		fmt.Print("skipped: ", strings.Join(r.output[key], ""))
	}
	delete(r.output, key)
}
