package cardtest

// The numbers this card answers to, in the words of applet/PROTOCOL.md; the test that compares the client's compares these too.
const (
	claISO       = 0x00
	claProductID = 0x80

	insSelect     = 0xA4
	insReadBinary = 0xB0

	insInfo            = 0x01
	insGetCapabilities = 0x02
	insGenerateKey     = 0x10
	insPutData         = 0x20
	insGetData         = 0x21
	insChallenge       = 0x30
	insLock            = 0x40

	itemPrefix    = 0x01
	itemMiddle    = 0x02
	itemProfile   = 0x03
	itemKey       = 0x04
	itemSignature = 0x05
	partLength    = 0x00F0

	algorithmBitP256     = 0x01
	algorithmBitRSA2048  = 0x02
	algorithmBitsAll     = 0x03
	profileChallengeOnly = 0x01
	profileLength        = 0x0003
	mleMin               = 0x000F
	mleMax               = 0x00F6
	installContactOnly   = 0x01
	templateLengthMax    = 0x0078

	fileCC               = 0xE103
	fileNDEF             = 0xE104
	p1SelectByName       = 0x04
	p1SelectByFileID     = 0x00
	p2SelectFirstOrOnly  = 0x00
	p2SelectNoResponse   = 0x0C
	p1ReadShortFileID    = 0x80
	ndefFileMax          = 0x00E8
	ndefFileMaxRSA2048   = 0x01EB
	ccMappingVersion     = 0x20
	ccNDEFFileControlTag = 0x04
	ccReadFree           = 0x00
	ccWriteNever         = 0xFF
)
