package card

// The numbers of the protocol, in the words and the order of applet/PROTOCOL.md and the applet's Const.java; a test compares them.
const (
	versionMajor = 0x01

	claProductID = 0x80

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

	algorithmNone       = 0x00
	algorithmP256       = 0x01
	algorithmRSA2048    = 0x02
	algorithmBitP256    = 0x01
	algorithmBitRSA2048 = 0x02

	stateInstalled = 0x00
	stateKeyed     = 0x01
	stateLocked    = 0x02
	stateUnknown   = 0xFF

	profileChallengeOnly = 0x01
	mleMin               = 0x000F
	mleMax               = 0x00F6

	installContactOnly = 0x01

	infoOffVersion    = 0x0000
	infoOffAlgorithms = 0x0002
	infoOffState      = 0x0003
	infoOffAlgorithm  = 0x0004
	infoOffProfile    = 0x0005
	infoOffCardID     = 0x0008
	infoOffCounter    = 0x0014
	infoOffCounterMax = 0x0018
	infoLength        = 0x001C

	capabilitiesOffAsked   = 0x0000
	capabilitiesOffPresent = 0x0001
	capabilitiesOffFlags   = 0x0002
	capabilitiesLength     = 0x0004

	cardIDLength  = 0x000C
	counterLength = 0x0004
)
