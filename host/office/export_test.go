package office

// Patterns are all routes, as net/http writes them.
func Patterns() (all []string) {
	for _, rt := range routes() {
		all = append(all, rt.pattern())
	}
	return all
}
