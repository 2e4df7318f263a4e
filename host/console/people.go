package console

import "github.com/productid/productid/host/identity"

// ofPeople is what can be wrong with people and API keys; what only a browser meets has its words on the service's pages.
func ofPeople() []entry {
	return []entry{
		is(identity.ErrUnknownPerson, No, "unknown_person", "nobody has this id there", "productid operator list shows who has a role, and who is invited to one"),
		is(identity.ErrUnknownInvitation, No, "unknown_invitation", "the invitation was used or withdrawn meanwhile", "productid operator list shows who has a role now"),
		is(identity.ErrLastOwner, No, "last_owner", "the last owner of an issuer stays", "invite another owner first: productid operator invite --role owner"),
		is(identity.ErrUnknownKey, No, "unknown_key", "the issuer has no API key of this id", "productid keys api list shows them; --issuer says whose"),
		is(identity.ErrSandboxOnly, Usage, "sandbox_only", "test keys belong to the sandbox issuer, and no others do", "give --test for a key of the sandbox issuer, and leave it out for any other"),
		is(identity.ErrName, Usage, "bad_name", "the name is empty, longer than 100 characters, or holds what cannot be printed", "give a short --name"),
		is(identity.ErrLifetime, Usage, "bad_lifetime", "an invitation lasts for at most 31 days", "give a shorter --expires"),
	}
}
