package main

import (
	_ "embed"
	"os"
	"text/template"
)

//go:embed advice.txt
var adviceText string

var advice = template.Must(template.New("advice").Parse(adviceText))

// advise says what to try next.
func (q *quickstart) advise() error {
	return advice.Execute(q.out, map[string]string{"Kubeconfig": os.Getenv("KUBECONFIG")})
}
