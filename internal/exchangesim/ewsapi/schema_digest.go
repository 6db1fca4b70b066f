package ewsapi

import "strings"

// digest describes the elements of requests, one in a line:
//
//	name namespace-of-children content / attributes
//
// Content is a sequence of names with ? * + as usual and (a|b) for a choice; name=type where the type has another name
// than the element. Attributes are name=type, with ! when required. A line "name =type" is a text. An element without
// a line is not checked.
const digest = `
GetFolder m FolderShape FolderIds
FindFolder m FolderShape (IndexedPageFolderView=PageView|FractionalPageFolderView=any)? Restriction? ParentFolderIds=FolderIds / Traversal!=folderTraversal
SyncFolderHierarchy m FolderShape SyncFolderId? SyncState?
SyncFolderItems m ItemShape SyncFolderId SyncState? Ignore=Ignored? MaxChangesReturned=maxChanges SyncScope=syncScope?
FindItem m ItemShape (IndexedPageItemView=PageView|FractionalPageItemView=any|SeekToConditionPageItemView=any|CalendarView|ContactsView=any)? (GroupBy=any|DistinguishedGroupBy=any)? Restriction? SortOrder? ParentFolderIds=FolderIds QueryString=any? / Traversal!=itemTraversal
GetItem m ItemShape ItemIds
CreateItem m SavedItemFolderId=SyncFolderId? Items / MessageDisposition=disposition SendMeetingInvitations=send
UpdateItem m SavedItemFolderId=SyncFolderId? ItemChanges / ConflictResolution!=conflict MessageDisposition=disposition SendMeetingInvitationsOrCancellations=sendUpdate SuppressReadReceipts=bool
DeleteItem m ItemIds / DeleteType!=disposal SendMeetingCancellations=send AffectedTaskOccurrences=affected SuppressReadReceipts=bool
MoveItem m ToFolderId=SyncFolderId ItemIds ReturnNewItemIds=bool?
CopyItem m ToFolderId=SyncFolderId ItemIds ReturnNewItemIds=bool?
ResolveNames m ParentFolderIds=FolderIds? UnresolvedEntry=nonEmpty / ReturnFullContactData!=bool SearchScope=searchScope ContactDataShape=shape
GetRoomLists m
GetRooms m RoomList=Mailbox
GetServerTimeZones m Ids=TimeZoneIds? / ReturnFullTimeZoneData=bool
TimeZoneIds t Id*
FolderShape t BaseShape=shape AdditionalProperties?
ItemShape t BaseShape=shape IncludeMimeContent=bool? BodyType=bodyResponse? UniqueBodyType=bodyResponse? NormalizedBodyType=bodyResponse? FilterHtmlContent=bool? ConvertHtmlCodePageToUTF8=bool? InlineImageUrlTemplate? BlockExternalImages=bool? AddBlankTargetToLinks=bool? MaximumBodySize=int? AdditionalProperties?
AdditionalProperties t (FieldURI|IndexedFieldURI|ExtendedFieldURI|ExceptionFieldURI=any)+
FieldURI t / FieldURI!=fieldURI
IndexedFieldURI t / FieldURI!=string FieldIndex!=string
ExtendedFieldURI t / DistinguishedPropertySetId=propertySet PropertySetId=guid PropertyTag=string PropertyName=string PropertyId=int PropertyType!=mapiType
FolderIds t (FolderId|DistinguishedFolderId)+
SyncFolderId t (FolderId|DistinguishedFolderId|AddressListId=any)
FolderId t / Id!=string ChangeKey=string
DistinguishedFolderId t Mailbox? / Id!=folderName ChangeKey=string
Mailbox t Name? EmailAddress? RoutingType? MailboxType? ItemId? OriginalDisplayName?
ItemIds t (ItemId|OccurrenceItemId|RecurringMasterItemId|RecurringMasterItemIdRanges=any)+
Ignored t ItemId*
ItemId t / Id!=string ChangeKey=string
OccurrenceItemId t / RecurringMasterId!=string ChangeKey=string InstanceIndex!=positive
RecurringMasterItemId t / OccurrenceId!=string ChangeKey=string
PageView t / MaxEntriesReturned=positive Offset!=offset BasePoint!=basePoint
CalendarView t / MaxEntriesReturned=positive StartDate!=dateTime EndDate!=dateTime
SortOrder t FieldOrder+
FieldOrder t (FieldURI|IndexedFieldURI|ExtendedFieldURI) / Order!=sortDirection
Restriction t SEARCH
And t SEARCH+
Or t SEARCH+
Not t SEARCH
Exists t (FieldURI|IndexedFieldURI|ExtendedFieldURI)
Contains t (FieldURI|IndexedFieldURI|ExtendedFieldURI) Constant / ContainmentMode=containment ContainmentComparison=comparison
IsEqualTo t (FieldURI|IndexedFieldURI|ExtendedFieldURI) FieldURIOrConstant
IsNotEqualTo t (FieldURI|IndexedFieldURI|ExtendedFieldURI) FieldURIOrConstant
IsGreaterThan t (FieldURI|IndexedFieldURI|ExtendedFieldURI) FieldURIOrConstant
IsGreaterThanOrEqualTo t (FieldURI|IndexedFieldURI|ExtendedFieldURI) FieldURIOrConstant
IsLessThan t (FieldURI|IndexedFieldURI|ExtendedFieldURI) FieldURIOrConstant
IsLessThanOrEqualTo t (FieldURI|IndexedFieldURI|ExtendedFieldURI) FieldURIOrConstant
FieldURIOrConstant t (FieldURI|IndexedFieldURI|ExtendedFieldURI|Constant)
Constant t / Value!=string
Items t (Item=any|Message|CalendarItem|Contact=any|DistributionList=any|MeetingMessage=any|MeetingRequest=any|MeetingResponse=any|MeetingCancellation=any|Task=any|PostItem=any|AcceptItem=any|TentativelyAcceptItem=any|DeclineItem=any|CancelCalendarItem|RemoveItem=any|ForwardItem=any|ReplyToItem=any|ReplyAllToItem=any|PostReplyItem=any|SuppressReadReceipt=any|ProposeNewTime=any|AcceptSharingInvitation=any|SharingMessage=any|RoleMember=any|Network=any|Person=any)+
CancelCalendarItem t Subject? Body? ToRecipients=any? CcRecipients=any? BccRecipients=any? IsReadReceiptRequested=bool? IsDeliveryReceiptRequested=bool? From=any? ReferenceItemId=ItemId? NewBodyContent=Body?
ItemChanges t ItemChange+
ItemChange t (ItemId|OccurrenceItemId|RecurringMasterItemId) Updates
Updates t (AppendToItemField=SetItemField|SetItemField|DeleteItemField)+
SetItemField t (FieldURI|IndexedFieldURI|ExtendedFieldURI) (CalendarItem|Message|Item=any|MeetingRequest=any|Task=any|Contact=any|PostItem=any)
DeleteItemField t (FieldURI|IndexedFieldURI|ExtendedFieldURI)
Message t ITEM Sender=any? ToRecipients=any? CcRecipients=any? BccRecipients=any? IsReadReceiptRequested=bool? IsDeliveryReceiptRequested=bool? ConversationIndex=base64? ConversationTopic? From=any? InternetMessageId? IsRead=bool? IsResponseRequested=bool? References? ReplyTo=any? ReceivedBy=any? ReceivedRepresenting=any?
CalendarItem t ITEM UID? RecurrenceId=dateTime? DateTimeStamp=dateTime? Start=dateTime? End=dateTime? OriginalStart=dateTime? IsAllDayEvent=bool? LegacyFreeBusyStatus=freeBusy? Location? When? IsMeeting=bool? IsCancelled=bool? IsRecurring=bool? MeetingRequestWasSent=bool? IsResponseRequested=bool? CalendarItemType? MyResponseType=response? Organizer? RequiredAttendees=Attendees? OptionalAttendees=Attendees? Resources=Attendees? InboxReminders=any? ConflictingMeetingCount=int? AdjacentMeetingCount=int? ConflictingMeetings=any? AdjacentMeetings=any? Duration? TimeZone? AppointmentReplyTime=dateTime? AppointmentSequenceNumber=int? AppointmentState=int? Recurrence? FirstOccurrence=any? LastOccurrence=any? ModifiedOccurrences=any? DeletedOccurrences=any? MeetingTimeZone=any? StartTimeZone=TimeZoneDefinition? EndTimeZone=TimeZoneDefinition? ConferenceType=int? AllowNewTimeProposal=bool? IsOnlineMeeting=bool? MeetingWorkspaceUrl? NetShowUrl? EnhancedLocation=any? StartWallClock=dateTime? EndWallClock=dateTime? StartTimeZoneId? EndTimeZoneId? IntendedFreeBusyStatus=freeBusy? JoinOnlineMeetingUrl? OnlineMeetingSettings=any? IsOrganizer=bool? CalendarActivityData=any? DoNotForwardMeeting=bool?
Body =string / BodyType!=bodyType IsTruncated=bool
Categories t String*
ExtendedProperty t ExtendedFieldURI (Value|Values)
Values t Value+
Organizer t Mailbox
Attendees t Attendee+
Attendee t Mailbox ResponseType=response? LastResponseTime=dateTime? ProposedStart=dateTime? ProposedEnd=dateTime?
Recurrence t (RelativeYearlyRecurrence|AbsoluteYearlyRecurrence|RelativeMonthlyRecurrence|AbsoluteMonthlyRecurrence|WeeklyRecurrence|DailyRecurrence) (NoEndRecurrence|EndDateRecurrence|NumberedRecurrence)
RelativeYearlyRecurrence t DaysOfWeek=day DayOfWeekIndex=weekIndex Month=month
AbsoluteYearlyRecurrence t DayOfMonth=int Month=month
RelativeMonthlyRecurrence t Interval=int DaysOfWeek=day DayOfWeekIndex=weekIndex
AbsoluteMonthlyRecurrence t Interval=int DayOfMonth=int
WeeklyRecurrence t Interval=int DaysOfWeek=days FirstDayOfWeek=day?
DailyRecurrence t Interval=int
NoEndRecurrence t StartDate=date
EndDateRecurrence t StartDate=date EndDate=date
NumberedRecurrence t StartDate=date NumberOfOccurrences=occurrences
TimeZoneDefinition t Periods=any? TransitionsGroups=any? Transitions=any? / Id=string Name=string
RequestServerVersion t / Version!=version
ExchangeImpersonation t ConnectingSID
ConnectingSID t (PrincipalName|SID|PrimarySmtpAddress|SmtpAddress)
TimeZoneContext t TimeZoneDefinition
FreeBusyViewOptions t TimeWindow MergedFreeBusyIntervalInMinutes=int? RequestedView=freeBusyView?
TimeWindow t StartTime=dateTime EndTime=dateTime
SuggestionsViewOptions any
MailboxDataArray t MailboxData*
MailboxData t Email AttendeeType=attendeeType ExcludeConflicts=bool?
Email t Name? Address RoutingType?
any any
`

// itemParts stands for ITEM: the properties that all items share, in the schema's order.
const itemParts = `MimeContent=any? ItemId? ParentFolderId=FolderId? ItemClass? Subject? Sensitivity=sensitivity? Body? Attachments=any?
	DateTimeReceived=dateTime? Size=int? Categories? Importance=importance? InReplyTo? IsSubmitted=bool? IsDraft=bool? IsFromMe=bool?
	IsResend=bool? IsUnmodified=bool? InternetMessageHeaders=any? DateTimeSent=dateTime? DateTimeCreated=dateTime? ResponseObjects=any?
	ReminderDueBy=dateTime? ReminderIsSet=bool? ReminderNextTime=dateTime? ReminderMinutesBeforeStart=int? DisplayCc? DisplayTo? DisplayBcc?
	HasAttachments=bool? ExtendedProperty* Culture? EffectiveRights=any? LastModifiedName? LastModifiedTime=dateTime? IsAssociated=bool?
	WebClientReadFormQueryString? WebClientEditFormQueryString? ConversationId=any? UniqueBody=any? Flag=any? StoreEntryId=base64?
	InstanceKey=base64? NormalizedBody=any? EntityExtractionResult=any? PolicyTag=any? ArchiveTag=any? RetentionDate=dateTime? Preview?
	RightsManagementLicenseData=any? PredictedActionReasons=any? IsClutter=bool? BlockStatus=bool? HasBlockedImages=bool? TextBody=any?
	IconIndex?`

const searchParts = `(Exists|Excludes=any|IsEqualTo|IsNotEqualTo|IsGreaterThan|IsGreaterThanOrEqualTo|IsLessThan|IsLessThanOrEqualTo|And|Or|Not|Contains)`

var complexTypes map[string]*complexType

func init() {
	complexTypes = map[string]*complexType{}
	for name, s := range simpleTypes {
		complexTypes[name] = &complexType{simple: s}
	}
	for line := range strings.Lines(digest) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			complexTypes[name] = parseType(rest)
		}
	}
}

func parseType(s string) *complexType {
	t := &complexType{}
	content, attrs, _ := strings.Cut(s, "/")
	content = strings.ReplaceAll(strings.ReplaceAll(content, "ITEM ", itemParts+" "), "SEARCH", searchParts)
	for i, word := range strings.Fields(content) {
		switch {
		case i == 0 && word == "any":
			t.anyKids = true
		case i == 0 && word[0] == '=':
			t.simple = simpleTypes[word[1:]]
		case i == 0:
			t.ns = map[string]string{"m": nsMessages, "t": nsTypes}[word]
		default:
			t.parts = append(t.parts, parseParticle(word))
		}
	}
	for _, word := range strings.Fields(attrs) {
		name, typ, _ := strings.Cut(word, "=")
		name, required := strings.CutSuffix(name, "!")
		t.attrs = append(t.attrs, attrRule{name, simpleTypes[typ], required})
	}
	return t
}

func parseParticle(word string) particle {
	p := particle{min: 1, max: 1}
	switch word[len(word)-1] {
	case '?':
		p.min = 0
	case '*':
		p.min, p.max = 0, -1
	case '+':
		p.max = -1
	}
	for kid := range strings.SplitSeq(strings.Trim(word, "()?*+"), "|") {
		name, typ, ok := strings.Cut(kid, "=")
		if !ok {
			typ = name
		}
		p.kids = append(p.kids, kidRule{name, typ})
	}
	return p
}
