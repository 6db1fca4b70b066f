package ewsapi

import (
	"encoding/base64"
	"math"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

// simpleTypes are the schema's simple types that requests use.
var simpleTypes = map[string]*simpleType{
	"bool":     matching("boolean", "Boolean", isBool),
	"dateTime": matching("dateTime", "DateTime", isDateTime),
	"date": matching("date", "Date", func(s string) bool {
		_, ok := store.ParseDate(s)
		return ok
	}),
	"base64": matching("base64Binary", "Base64Binary", func(s string) bool {
		_, err := base64.StdEncoding.DecodeString(s)
		return err == nil
	}),
	"int":    {"http://www.w3.org/2001/XMLSchema:int", integer("", math.MinInt32, math.MaxInt32).check},
	"string": {"http://www.w3.org/2001/XMLSchema:string", func(string) string { return "" }},
	"guid":   {typesName("GuidType"), checkGUID},
	"nonEmpty": {typesName("NonEmptyStringType"), func(s string) string {
		if s == "" {
			return "The MinLength constraint failed."
		}
		return ""
	}},
	"maxChanges":  integer("MaxSyncChangesReturnedType", 1, 512),
	"offset":      integer("IndexedPageViewType", 0, math.MaxInt32),
	"positive":    integer("positiveInteger", 1, math.MaxInt32),
	"occurrences": integer("NumberOfOccurrencesType", 1, 999),
	"folderName": enum("DistinguishedFolderIdNameType", `calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks
		msgfolderroot publicfoldersroot root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions
		recoverableitemsversions recoverableitemspurges recoverableitemsdiscoveryholds archiveroot archivemsgfolderroot
		archivedeleteditems archiveinbox archiverecoverableitemsroot archiverecoverableitemsdeletions archiverecoverableitemsversions
		archiverecoverableitemspurges archiverecoverableitemsdiscoveryholds syncissues conflicts localfailures serverfailures
		recipientcache quickcontacts conversationhistory adminauditlogs todosearch mycontacts directory imcontactlist peopleconnect
		favorites mecontact personmetadata teamspaceactivity teamspacemessaging teamspaceworkitems scheduled orionnotes tagitems
		alltaggeditems externalcontacts teamchat teamchathistory yammerroot yammerinbound yammeroutbound yammerfeeds onedriveroot
		onedriverecylebin onedrivesystem onedrivevolume important starred archive`),
	"shape":           enum("DefaultShapeNamesType", "IdOnly Default AllProperties PcxPeopleSearch"),
	"bodyResponse":    enum("BodyTypeResponseType", "Best HTML Text"),
	"bodyType":        enum("BodyTypeType", "HTML Text"),
	"syncScope":       enum("SyncFolderItemsScopeType", "NormalItems NormalAndAssociatedItems"),
	"itemTraversal":   enum("ItemQueryTraversalType", "Shallow SoftDeleted Associated"),
	"folderTraversal": enum("FolderQueryTraversalType", "Shallow Deep SoftDeleted"),
	"basePoint":       enum("IndexBasePointType", "Beginning End"),
	"sortDirection":   enum("SortDirectionType", "Ascending Descending"),
	"containment":     enum("ContainmentModeType", "FullString Prefixed Substring PrefixOnWords ExactPhrase"),
	"comparison": enum("ContainmentComparisonType", `Exact IgnoreCase IgnoreNonSpacingCharacters Loose IgnoreCaseAndNonSpacingCharacters
		LooseAndIgnoreCase LooseAndIgnoreNonSpace LooseAndIgnoreCaseAndIgnoreNonSpace`),
	"disposal":    enum("DisposalType", "HardDelete SoftDelete MoveToDeletedItems"),
	"send":        enum("CalendarItemCreateOrDeleteOperationType", "SendToNone SendOnlyToAll SendToAllAndSaveCopy"),
	"sendUpdate":  enum("CalendarItemUpdateOperationType", "SendToNone SendOnlyToAll SendOnlyToChanged SendToAllAndSaveCopy SendToChangedAndSaveCopy"),
	"disposition": enum("MessageDispositionType", "SaveOnly SendOnly SendAndSaveCopy"),
	"conflict":    enum("ConflictResolutionType", "NeverOverwrite AutoResolve AlwaysOverwrite"),
	"affected":    enum("AffectedTaskOccurrencesType", "AllOccurrences SpecifiedOccurrenceOnly"),
	"sensitivity": enum("SensitivityChoicesType", "Normal Personal Private Confidential"),
	"importance":  enum("ImportanceChoicesType", "Low Normal High"),
	"freeBusy":    enum("LegacyFreeBusyType", "Free Tentative Busy OOF WorkingElsewhere NoData"),
	"response":    enum("ResponseTypeType", "Unknown Organizer Tentative Accept Decline NoResponseReceived"),
	"day":         enum("DayOfWeekType", dayNames),
	"days":        {typesName("DaysOfWeekType"), checkDays},
	"weekIndex":   enum("DayOfWeekIndexType", "First Second Third Fourth Last"),
	"month":       enum("MonthNamesType", "January February March April May June July August September October November December"),
	"mapiType": enum("MapiPropertyTypeType", `ApplicationTime ApplicationTimeArray Binary BinaryArray Boolean CLSID CLSIDArray Currency
		CurrencyArray Double DoubleArray Error Float FloatArray Integer IntegerArray Long LongArray Null Object ObjectArray Short
		ShortArray SystemTime SystemTimeArray String StringArray`),
	"propertySet": enum("DistinguishedPropertySetType", `Meeting Appointment Common PublicStrings Address InternetHeaders CalendarAssistant
		UnifiedMessaging Task Sharing`),
	"version": enum("ExchangeVersionType", `Exchange2007 Exchange2007_SP1 Exchange2009 Exchange2010 Exchange2010_SP1 Exchange2010_SP2 Exchange2012
		Exchange2013 Exchange2013_SP1 Exchange2015 Exchange2016 V2015_10_05 V2016_01_06 V2016_04_13 V2016_07_13 V2016_10_10 V2017_01_07
		V2017_04_14 V2017_07_11`),
	"fieldURI":     {typesName("UnindexedFieldURIType"), checkFieldURI},
	"attendeeType": enum("MeetingAttendeeType", "Organizer Required Optional Room Resource"),
	"freeBusyView": {typesName("FreeBusyViewType"), checkFreeBusyView},
	"searchScope":  enum("ResolveNamesSearchScopeType", "ActiveDirectory ActiveDirectoryContacts Contacts ContactsActiveDirectory"),
}

const dayNames = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday Day Weekday WeekendDay"

func checkDays(s string) string {
	for _, d := range strings.Fields(s) {
		if _, ok := dayBits[d]; !ok {
			return enumFailed
		}
	}
	return ""
}

func checkFreeBusyView(s string) string {
	for _, v := range strings.Fields(s) {
		switch v {
		case "None", "MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged":
		default:
			return enumFailed
		}
	}
	return ""
}

func checkGUID(s string) string {
	plain := strings.ReplaceAll(s, "-", "")
	ok := len(s) == 36 && len(plain) == 32
	for _, c := range plain {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F')
	}
	if !ok {
		return "The Pattern constraint failed."
	}
	return ""
}

// fieldURIs are the property names of folders, items, messages and appointments.
var fieldURIs = func() map[string]bool {
	set := map[string]bool{}
	for prefix, names := range map[string]string{
		"folder": `FolderId ParentFolderId DisplayName UnreadCount TotalCount ChildFolderCount FolderClass SearchParameters
			ManagedFolderInformation PermissionSet EffectiveRights SharingEffectiveRights DistinguishedFolderId PolicyTag ArchiveTag ReplicaList`,
		"item": `ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories HasAttachments Importance
			InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted IsUnmodified DateTimeSent DateTimeCreated Body
			ResponseObjects Sensitivity ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayTo DisplayCc DisplayBcc
			Culture EffectiveRights LastModifiedName LastModifiedTime ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody
			EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview PredictedActionReasons IsClutter RightsManagementLicenseData
			BlockStatus HasBlockedImages WebClientReadFormQueryString WebClientEditFormQueryString TextBody IconIndex MimeContentUTF8 Mentions
			MentionedMe MentionsPreview MentionsEx Hashtags AppliedHashtags AppliedHashtagsPreview Likes LikesPreview
			PendingSocialActivityTagIds AtAllMention CanDelete InferenceClassification FirstBody`,
		"message": `ConversationIndex ConversationTopic InternetMessageId IsRead IsResponseRequested IsReadReceiptRequested
			IsDeliveryReceiptRequested ReceivedBy ReceivedRepresenting References ReplyTo From Sender ToRecipients CcRecipients BccRecipients
			ApprovalRequestData VotingInformation ReminderMessageData PublishedCalendarItemIcs PublishedCalendarItemName MessageSafety`,
		"calendar": `Start End OriginalStart StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IsAllDayEvent LegacyFreeBusyStatus
			Location EnhancedLocation When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested CalendarItemType
			MyResponseType Organizer RequiredAttendees OptionalAttendees Resources ConflictingMeetingCount AdjacentMeetingCount
			ConflictingMeetings AdjacentMeetings InboxReminders Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber
			AppointmentState Recurrence FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone ConferenceType
			AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl UID RecurrenceId DateTimeStamp StartTimeZone EndTimeZone
			JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer CalendarActivityData DoNotForwardMeeting`,
	} {
		for _, n := range strings.Fields(names) {
			set[prefix+":"+n] = true
		}
	}
	return set
}()

// otherURIs are the kinds of properties that appointments and folders do not have; their names are not checked.
var otherURIs = map[string]bool{"sharingMessage": true, "meeting": true, "meetingRequest": true, "task": true, "contacts": true,
	"distributionlist": true, "postitem": true, "conversation": true, "persona": true, "person": true}

func checkFieldURI(s string) string {
	if prefix, _, _ := strings.Cut(s, ":"); fieldURIs[s] || otherURIs[prefix] {
		return ""
	}
	return enumFailed
}

var (
	dayBits = func() map[string]store.DaySet {
		bits := map[string]store.DaySet{"Day": store.AnyDay, "Weekday": store.Weekdays, "WeekendDay": store.WeekendDays}
		for d := time.Sunday; d <= time.Saturday; d++ {
			bits[d.String()] = store.On(d)
		}
		return bits
	}()
	weekIndexes = []string{"First", "Second", "Third", "Fourth", "Last"}
)
