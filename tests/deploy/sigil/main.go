// Renders a template as Dokku does: Go's text/template with sigil's variables and those of its functions that a template of
// ours may use. Usage: sigil -f TEMPLATE NAME=VALUE...
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

var functions = template.FuncMap{
	"var":     os.Getenv, // every variable is in the environment too; one that is not is ""
	"split":   func(by, text string) []string { return strings.Split(text, by) },
	"join":    func(by string, words []string) string { return strings.Join(words, by) },
	"replace": func(old, new, text string) string { return strings.ReplaceAll(text, old, new) },
	"trim":    func(text string) string { return strings.Trim(text, " \n") },
	"lower":   strings.ToLower,
	"upper":   strings.ToUpper,
	"default": func(other, given interface{}) interface{} {
		if given == nil || given == "" {
			return other
		}
		return given
	},
}

func main() {
	if err := render(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(arguments []string) error {
	if len(arguments) < 2 || arguments[0] != "-f" {
		return fmt.Errorf("usage: sigil -f TEMPLATE NAME=VALUE")
	}
	text, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	variables := map[string]interface{}{}
	declared := ""
	for _, argument := range arguments[2:] {
		name, value, _ := strings.Cut(argument, "=")
		variables[name] = value
		declared += fmt.Sprintf("{{ $%s := .%s }}", name, name)
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	source := strings.ReplaceAll(string(text), "\\}}\n{{", "}}{{")
	parsed, err := template.New(filepath.Base(arguments[1])).Funcs(functions).Parse(declared + source)
	if err != nil {
		return err
	}
	return parsed.Execute(os.Stdout, variables)
}
