package page

import (
	"fmt"
	"html/template"
	"text/template/parse"

	"github.com/productid/productid/host/words"
)

// missing returns an error that names a text or a template which one of the templates asks for and which is not there. Keys that a
// template puts together are not seen.
func missing(t *template.Template) error {
	known := words.For("", "")
	for _, one := range t.Templates() {
		if one.Tree == nil {
			continue
		}
		asked := wants{}
		asked.of(one.Tree.Root)
		for _, key := range asked.texts {
			if !known.Has(key) {
				return fmt.Errorf("template %q asks for the text %q, and there is none", one.Name(), key)
			}
		}
		for _, name := range asked.templates {
			if t.Lookup(name) == nil {
				return fmt.Errorf("template %q asks for the template %q, and there is none", one.Name(), name)
			}
		}
	}
	return nil
}

// wants is what a part of a template asks for: the constant keys that it gives to .T and .N, and other templates.
type wants struct{ texts, templates []string }

func (w *wants) of(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			w.of(child)
		}
	case *parse.ActionNode:
		w.of(n.Pipe)
	case *parse.TemplateNode:
		w.templates = append(w.templates, n.Name)
		w.of(n.Pipe)
	case *parse.IfNode:
		w.branch(n.BranchNode)
	case *parse.RangeNode:
		w.branch(n.BranchNode)
	case *parse.WithNode:
		w.branch(n.BranchNode)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, c := range n.Cmds {
			w.command(c)
		}
	}
}

func (w *wants) branch(n parse.BranchNode) {
	w.of(n.Pipe)
	w.of(n.List)
	w.of(n.ElseList)
}

func (w *wants) command(c *parse.CommandNode) {
	for _, arg := range c.Args {
		w.of(arg)
	}
	if len(c.Args) < 2 {
		return
	}
	var called []string
	switch f := c.Args[0].(type) {
	case *parse.FieldNode:
		called = f.Ident
	case *parse.VariableNode:
		called = f.Ident
	}
	key, constant := c.Args[1].(*parse.StringNode)
	if len(called) > 0 && constant && (called[len(called)-1] == "T" || called[len(called)-1] == "N") {
		w.texts = append(w.texts, key.Text)
	}
}
