package office

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/words"
)

type productsPage struct {
	Products  []product.Product
	MayManage bool
}

func (v *visit) products() error {
	list, err := v.Products.Products(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "products", productsPage{list, v.can(identity.ManageIssuer)})
}

// productPage is one product, or a new one.
type productPage struct {
	Product   product.Product
	New       bool
	Form      form
	Languages []language
	Post      string
}

// language is one that a product's description may be written in.
type language struct{ Code, Name, Field string }

func languages() (all []language) {
	for _, code := range words.Languages() {
		all = append(all, language{code, words.For("", code).T("lang.name"), "text_" + code})
	}
	return all
}

func (v *visit) product() error {
	p := productPage{New: true, Form: form{Values: map[string]string{}}}
	if id := v.r.PathValue("id"); id != "" {
		var err error
		if p.Product, err = v.Products.Product(v.ctx, v.issuer, id); err != nil {
			return err
		}
		p.New = false
		p.Form.Values = map[string]string{"name": p.Product.Name, "gtin": p.Product.GTIN, "url": p.Product.URL}
		for lang, text := range p.Product.Text {
			p.Form.Values["text_"+lang] = text
		}
	}
	return v.productShown(http.StatusOK, p)
}

func (v *visit) productShown(status int, p productPage) error {
	p.Languages = languages()
	p.Post = v.at("products", p.Product.ID)
	if p.New {
		p.Post = v.at("products", "new")
	}
	return v.show(status, "product", p)
}

// productPut keeps a product as the form has it.
func (v *visit) productPut() error {
	p := productPage{New: v.r.PathValue("id") == "new", Product: product.Product{Issuer: v.issuer}}
	if !p.New {
		var err error
		if p.Product, err = v.Products.Product(v.ctx, v.issuer, v.r.PathValue("id")); err != nil {
			return err
		}
	}
	names := []string{"name", "gtin", "url", "picture_removed"}
	for _, l := range languages() {
		names = append(names, l.Field)
	}
	p.Form = v.typed(names...)
	want := p.Product
	want.Name, want.GTIN, want.URL, want.Text = v.form("name"), v.form("gtin"), v.form("url"), map[string]string{}
	for lang, text := range p.Product.Text { // languages that the form does not have
		want.Text[lang] = text
	}
	for _, l := range languages() {
		delete(want.Text, l.Code)
		if text := strings.ReplaceAll(v.form(l.Field), "\r\n", "\n"); text != "" {
			want.Text[l.Code] = text
		}
	}
	err := v.checkTarget(want.URL)
	if err == nil {
		want.Picture, err = v.picture(p.Product.Picture)
	}
	if err == nil {
		err = v.productKept(want)
	}
	if err != nil && v.invalid(p.Form, err) {
		return v.productShown(http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return v.done(v.at("products"), "office.product.done", want.Name)
}

func (v *visit) productKept(want product.Product) error {
	if err := v.about("product.kept", want.ID, want.Name); err != nil {
		return err
	}
	_, err := v.Products.Put(v.ctx, want)
	return err
}

// picture returns the picture that a form brings, else the one that is there, unless the form says that it is to go.
func (v *visit) picture(present *product.Image) (*product.Image, error) {
	if v.form("picture_removed") != "" {
		present = nil
	}
	file, header, err := v.r.FormFile("picture")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) || err == nil && header.Size == 0 {
		return present, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, product.MaxUpload+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	added, err := v.Products.AddImage(v.ctx, content)
	if err != nil {
		return nil, err
	}
	return &added, nil
}

func (v *visit) productDelete() error {
	p, err := v.Products.Product(v.ctx, v.issuer, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if v.form("confirm") == "" {
		return v.refused(v.at("products", p.ID), "office.product.delete.unconfirmed")
	}
	if err := v.about("product.removed", p.ID, p.Name); err != nil {
		return err
	}
	if err := v.Products.Delete(v.ctx, v.issuer, p.ID); err != nil {
		return err
	}
	return v.done(v.at("products"), "office.product.delete.done", p.Name)
}

// facePage is how the issuer shows himself.
type facePage struct {
	Face   product.Face
	Ledger string // his name on the ledger; "" while he is not on it
	Form   form
}

func (v *visit) face() error {
	face, err := v.Products.Face(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	f := form{Values: map[string]string{"name": face.Name, "website": face.Website, "support": face.Support, "hosts": strings.Join(face.Hosts, "\n")}}
	if face.Continue {
		f.Values["continue"] = "yes"
	}
	return v.faceShown(http.StatusOK, face, f)
}

func (v *visit) faceShown(status int, face product.Face, f form) error {
	p := facePage{Face: face, Form: f}
	issuer, err := v.Registry.Issuer(v.ctx, v.issuer)
	if err != nil && !errors.Is(err, registry.ErrUnknownIssuer) {
		return err
	}
	p.Ledger = issuer.Name
	return v.show(status, "issuer", p)
}

func (v *visit) facePut() error {
	present, err := v.Products.Face(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	f := v.typed("name", "website", "support", "hosts", "continue", "picture_removed")
	want := product.Face{Issuer: v.issuer, Name: v.form("name"), Website: v.form("website"), Support: v.form("support"),
		Continue: v.form("continue") != "", Hosts: strings.Fields(strings.ToLower(v.form("hosts")))}
	want.Logo, err = v.picture(present.Logo)
	if err == nil {
		err = v.faceKept(want)
	}
	if err != nil && v.invalid(f, err) {
		return v.faceShown(http.StatusUnprocessableEntity, present, f)
	}
	if err != nil {
		return err
	}
	return v.done(v.at("issuer"), "office.issuer.done")
}

func (v *visit) faceKept(want product.Face) error {
	if err := v.about("issuer.face", "", want.Name); err != nil {
		return err
	}
	return v.Products.PutFace(v.ctx, want)
}
