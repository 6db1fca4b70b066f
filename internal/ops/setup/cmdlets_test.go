package setup

import "strings"

// cmdlets are the commands that the scripts may use, with the parameters that Microsoft documents (as far as they may be
// useful here): https://learn.microsoft.com/powershell/module/exchangepowershell/,
// https://learn.microsoft.com/powershell/module/microsoft.graph.applications/ and its neighbors.
var cmdlets = parameters(`
Add-DistributionGroupMember Identity Member BypassSecurityGroupManagerCheck Confirm WhatIf
Add-MailboxFolderPermission Identity AccessRights User SendNotificationToUser SharingPermissionFlags Confirm WhatIf
Connect-ExchangeOnline UserPrincipalName ShowBanner Organization CommandName
Get-ApplicationAccessPolicy Identity
Get-CASMailbox Identity Filter ResultSize
Get-ConnectionInformation ConnectionId ModulePrefix
Get-DistributionGroup Identity Filter ResultSize
Get-DistributionGroupMember Identity ResultSize
Get-Mailbox Identity Filter ResultSize
Get-MailboxFolderPermission Identity User GroupMailbox
Get-MailboxFolderStatistics Identity FolderScope Archive
Get-ManagementRoleAssignment Identity Role RoleAssignee WritableRecipient GetEffectiveUsers Enabled
Get-ManagementScope Identity Exclusive Orphan
Get-OrganizationConfig RetrieveEwsOperationAccessPolicy
Get-Recipient Identity Filter ResultSize
Get-ServicePrincipal Identity
Get-ThrottlingPolicy Identity ThrottlingPolicyScope Explicit
Get-ThrottlingPolicyAssociation Identity ThrottlingPolicy
Get-WebServicesVirtualDirectory Identity ADPropertiesOnly Server
New-ApplicationAccessPolicy AccessRight AppId PolicyScopeGroupId Description Confirm WhatIf
New-DistributionGroup Name Type Members MemberJoinRestriction MemberDepartRestriction PrimarySmtpAddress Confirm WhatIf
New-ManagementRoleAssignment Name Role App User CustomResourceScope CustomRecipientWriteScope Confirm WhatIf
New-ManagementScope Name RecipientRestrictionFilter RecipientRoot Confirm WhatIf
New-ServicePrincipal AppId ObjectId DisplayName Confirm WhatIf
New-ThrottlingPolicy Name ThrottlingPolicyScope EwsMaxConcurrency EwsMaxSubscriptions EwsMaxBurst EwsRechargeRate EwsCutoffBalance Confirm WhatIf
Remove-ApplicationAccessPolicy Identity Confirm WhatIf
Remove-MailboxFolderPermission Identity User Confirm WhatIf
Remove-ManagementRoleAssignment Identity Confirm Force WhatIf
Remove-ManagementScope Identity Confirm WhatIf
Remove-ServicePrincipal Identity Confirm WhatIf
Remove-ThrottlingPolicy Identity Confirm Force WhatIf
Set-CASMailbox Identity EwsEnabled EwsAllowList EwsApplicationAccessPolicy EwsBlockList Confirm WhatIf
Set-MailboxFolderPermission Identity AccessRights User SharingPermissionFlags SendNotificationToUser Confirm WhatIf
Set-ManagementScope Identity RecipientRestrictionFilter Name Confirm WhatIf
Set-OrganizationConfig EwsAllowedAppIDs EwsEnabled EwsAllowList EwsBlockList EwsApplicationAccessPolicy Confirm WhatIf
Set-ThrottlingPolicyAssociation Identity ThrottlingPolicy Confirm WhatIf
Test-ApplicationAccessPolicy Identity AppId
Test-ServicePrincipalAuthorization Identity Resource

Connect-MgGraph Scopes TenantId NoWelcome ContextScope UseDeviceCode
Get-MgApplication ApplicationId Filter Property All
Get-MgApplicationFederatedIdentityCredential ApplicationId All Filter
Get-MgContext
Get-MgOauth2PermissionGrant Filter All OAuth2PermissionGrantId
Get-MgServicePrincipal ServicePrincipalId Filter Property All
Get-MgServicePrincipalAppRoleAssignment ServicePrincipalId All
Get-MgUser UserId Property
New-MgApplication DisplayName SignInAudience IsFallbackPublicClient RequiredResourceAccess KeyCredentials Confirm WhatIf
New-MgApplicationFederatedIdentityCredential ApplicationId Name Issuer Subject Audiences Description Confirm WhatIf
New-MgOauth2PermissionGrant ClientId ConsentType PrincipalId ResourceId Scope Confirm WhatIf
New-MgServicePrincipal AppId Confirm WhatIf
New-MgServicePrincipalAppRoleAssignment ServicePrincipalId PrincipalId ResourceId AppRoleId Confirm WhatIf
Remove-MgOauth2PermissionGrant OAuth2PermissionGrantId Confirm WhatIf
Remove-MgServicePrincipalAppRoleAssignment ServicePrincipalId AppRoleAssignmentId Confirm WhatIf
Update-MgApplication ApplicationId IsFallbackPublicClient KeyCredentials RequiredResourceAccess Confirm WhatIf
Update-MgOauth2PermissionGrant OAuth2PermissionGrantId Scope Confirm WhatIf
`)

// builtin are PowerShell's own.
var builtin = parameters(`
ForEach-Object Process
Format-Table AutoSize Wrap Property
Get-Command Name
New-Object TypeName ArgumentList Property
Out-Null
Out-String Width
Resolve-Path LiteralPath
Select-Object Property First
Set-StrictMode Version
Start-Sleep Seconds
Where-Object FilterScript
Write-Host Object
Write-Warning Message
`)

func parameters(table string) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		set := map[string]bool{"ErrorAction": true}
		for _, p := range fields[1:] {
			set[p] = true
		}
		all[fields[0]] = set
	}
	return all
}

// taken are aliases of the modules, which come before a function of the same name.
var taken = []string{"Connect-Graph", "Disconnect-Graph", "Invoke-GraphRequest"}

// changes reports whether a command of Exchange or Graph changes something there.
func changes(name string) bool {
	verb, _, _ := strings.Cut(name, "-")
	switch verb {
	case "Get", "Test", "Connect":
		return false
	}
	_, theirs := cmdlets[name]
	return theirs
}
