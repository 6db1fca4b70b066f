package setup

import (
	"fmt"
	"regexp"
	"strings"
)

// call is one use of a command.
type call struct {
	name       string
	line       int
	parameters []string
	within     []string // the commands in whose blocks or brackets it stands, outermost first
}

type frame struct {
	open  string
	owner *call // the command whose argument the bracket is
}

var (
	verbNoun  = regexp.MustCompile(`^[A-Z][A-Za-z]*-[A-Z][A-Za-z0-9]*$`)
	operators = map[string]bool{}
)

func init() {
	for _, o := range strings.Fields("eq ne gt lt ge le like notlike match contains notcontains split join replace not and or is as f") {
		operators[o] = true
	}
}

// calls finds the commands of a script with their parameters, and the names of its own functions.
func calls(tokens []token) (list []*call, functions map[string]bool, err error) {
	functions = map[string]bool{}
	var stack []frame
	var current *call
	for i, t := range tokens {
		switch {
		case t.kind == punct && strings.Contains("({[", t.text):
			stack = append(stack, frame{t.text, current})
			current = nil
		case t.kind == punct && strings.Contains(")}]", t.text):
			if len(stack) == 0 || !pairs(stack[len(stack)-1].open, t.text) {
				return nil, nil, fmt.Errorf("line %d: %q closes nothing", t.line, t.text)
			}
			current = stack[len(stack)-1].owner
			stack = stack[:len(stack)-1]
		case t.kind == punct && (t.text == "\n" || t.text == ";" || t.text == "|"):
			current = nil
		case t.kind == word && verbNoun.MatchString(t.text) && i > 0 && tokens[i-1].text == "function":
			functions[t.text] = true
		case t.kind == word && verbNoun.MatchString(t.text) && current == nil:
			current = &call{name: t.text, line: t.line}
			for _, f := range stack {
				if f.owner != nil {
					current.within = append(current.within, f.owner.name)
				}
			}
			list = append(list, current)
		case t.kind == parameter && current != nil && !operators[t.text]:
			current.parameters = append(current.parameters, t.text)
		case t.kind == parameter && !operators[t.text]:
			return nil, nil, fmt.Errorf("line %d: -%s belongs to no command", t.line, t.text)
		}
	}
	if len(stack) > 0 {
		return nil, nil, fmt.Errorf("a %q is not closed", stack[len(stack)-1].open)
	}
	return list, functions, nil
}

func pairs(open, shut string) bool {
	return open+shut == "()" || open+shut == "{}" || open+shut == "[]"
}

// undefined lists the variables that a script reads and nothing sets: with Set-StrictMode they end it.
func undefined(tokens []token) []string {
	set := map[string]bool{"_": true, "true": true, "false": true, "null": true, "pscmdlet": true}
	for i, t := range tokens {
		if t.kind != variable {
			continue
		}
		next := tokens[min(i+1, len(tokens)-1)].text
		after := tokens[min(i+2, len(tokens)-1)].text
		if next == "=" || next == "+" && after == "=" || next == "in" || declared(tokens, i) {
			set[t.text] = true
		}
	}
	var missing []string
	for _, t := range tokens {
		if t.kind == variable && !set[t.text] {
			missing = append(missing, fmt.Sprintf("$%s in line %d", t.text, t.line))
		}
	}
	return missing
}

// declared reports whether token i is a parameter that a param block declares.
func declared(tokens []token, i int) bool {
	depth := 0
	for j := i - 1; j > 0; j-- {
		switch tokens[j].text {
		case ")":
			depth++
		case "(":
			if depth == 0 {
				return tokens[j-1].text == "param"
			}
			depth--
		}
	}
	return false
}
