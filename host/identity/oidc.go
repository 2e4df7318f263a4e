package identity

// Provider is an OpenID provider that people may sign in through.
type Provider struct {
	Issuer   string // its URL, as its tokens say it
	ClientID string
	Secret   Secret // "" for a public client
	Name     string // what people call it
}
