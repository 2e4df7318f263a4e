package page

import (
	"fmt"
	"html/template"
	"text/template/parse"

	"github.com/productid/productid/host/words"
)

// missingTexts returns an error that names a text which one of the templates asks for and which is not there. Keys that a template
// puts together are not seen.
func missingTexts(t *template.Template) error {
	known := words.For("", "")
	for _, one := range t.Templates() {
		if one.Tree == nil {
			continue
		}
		for _, key := range textKeys(one.Tree.Root) {
			if !known.Has(key) {
				return fmt.Errorf("template %q asks for the text %q, and there is none", one.Name(), key)
			}
		}
	}
	return nil
}

// textKeys returns the constant keys that a part of a template gives to .T and .N.
func textKeys(n parse.Node) (keys []string) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			keys = append(keys, textKeys(child)...)
		}
	case *parse.ActionNode:
		return textKeys(n.Pipe)
	case *parse.TemplateNode:
		return textKeys(n.Pipe)
	case *parse.IfNode:
		return branchKeys(n.BranchNode)
	case *parse.RangeNode:
		return branchKeys(n.BranchNode)
	case *parse.WithNode:
		return branchKeys(n.BranchNode)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Cmds {
			keys = append(keys, commandKeys(c)...)
		}
	}
	return keys
}

func branchKeys(n parse.BranchNode) []string {
	return append(append(textKeys(n.Pipe), textKeys(n.List)...), textKeys(n.ElseList)...)
}

func commandKeys(c *parse.CommandNode) (keys []string) {
	for _, arg := range c.Args {
		keys = append(keys, textKeys(arg)...)
	}
	if len(c.Args) < 2 {
		return keys
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
		keys = append(keys, key.Text)
	}
	return keys
}
