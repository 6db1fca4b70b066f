# roomsync setup powershell check
#
# Looks at everything in Exchange Online that can make EWS refuse roomsync a mailbox, and says which of it does: EwsEnabled,
# the allow list of apps, the lists of user agents, the license, application access policies, RBAC for Applications, the
# service user's rights, and with -Graph what Entra grants.
#
# It changes: nothing.
# It needs:   Install-Module ExchangeOnlineManagement; a role that may look, such as Global Reader; for -Graph also
#             Install-Module Microsoft.Graph.
#
# An answer of Exchange with status 403 has the header X-EWS-Policy-Reason when EwsEnabled or one of the lists is the cause:
# "EWS is disabled for this user or tenant" or "EWS is blocked by policy for this user or tenant".

#requires: exchange
[CmdletBinding()]
param(
    # The account to sign in with; asked for when absent.
    [string]$Administrator,
    # Look at the app's permissions in Entra too. If the modules of Graph and Exchange do not get along in one session, do
    # that in a session of its own.
    [switch]$Graph
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId AppId SignIn ServiceUser Impersonation UserAgent Mailboxes

#part: connect
#part: allow-list
#part: finding
#part: setting
#part: folder
#part: graph

function Test-AllowList {
    param($Organization)

    $list = @(Get-AllowedAppIds)
    if ($list -contains $AppId) {
        Add-Finding 'organization' 'ok' 'EwsAllowedAppIDs names the app'
    }
    elseif ($Organization.EwsEnabled -eq $true) {
        Add-Finding 'organization' 'REFUSES' "EwsEnabled is True, and EwsAllowedAppIDs does not name the app; it names: $($list -join ', ')" 'topic allow-list'
    }
    else {
        Add-Finding 'organization' 'look' 'EwsAllowedAppIDs does not name the app; it acts as soon as EwsEnabled is True' 'topic allow-list'
    }
}

# Test-Mailbox finds what the address belongs to, and says when roomsync is sent to the wrong place.
function Test-Mailbox {
    param([string]$Address)

    $recipient = Get-Recipient -Identity $Address -ErrorAction Stop
    if ([string]$recipient.RecipientType -ne 'UserMailbox') {
        Add-Finding $Address 'REFUSES' "is a $($recipient.RecipientTypeDetails), not a mailbox of Exchange Online" 'a mailbox that is still on premises needs the URL of that server; anything else is no calendar'
    }
    elseif ([string]$recipient.PrimarySmtpAddress -ne $Address) {
        Add-Finding $Address 'REFUSES' "is another address of $($recipient.PrimarySmtpAddress)" 'put the primary address into the list of mailboxes'
    }
    else {
        Add-Finding $Address 'ok' "$($recipient.RecipientTypeDetails)"
    }
}

# Test-License: mailboxes with nothing but Exchange Online Kiosk, F1 or F3 have no EWS since 2026-06-30.
function Test-License {
    param([string]$Address)

    $plan = [string](Get-Mailbox -Identity $Address -ErrorAction Stop).MailboxPlan
    if ($plan -like 'ExchangeOnlineDeskless*') {
        Add-Finding $Address 'REFUSES' "the license is Kiosk, F1 or F3 ($plan), which has no EWS" 'give it Exchange Online Plan 1 or better'
    }
    else {
        Add-Finding $Address 'ok' "mailbox plan: $plan"
    }
}

# Test-Scopes: policies limit what Entra grants, RBAC adds to it; each alone is no proof.
function Test-Scopes {
    param([string]$Address)

    $policies = @(Get-ApplicationAccessPolicy -ErrorAction Stop | Where-Object { @($AppId, '*') -contains [string]$_.AppId })
    $denied = $false
    if ($policies.Count -gt 0) {
        $denied = [string](Test-ApplicationAccessPolicy -Identity $Address -AppId $AppId -ErrorAction Stop).AccessCheckResult -eq 'Denied'
    }
    $granted = @()
    if (@(Get-ServicePrincipal -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $AppId }).Count -gt 0) {
        $granted = @(Test-ServicePrincipalAuthorization -Identity $AppId -Resource $Address -ErrorAction Stop |
                Where-Object { $_.RoleName -eq 'Application EWS.AccessAsApp' -and [string]$_.InScope -eq 'True' })
    }
    if ($granted.Count -gt 0) {
        Add-Finding $Address 'ok' "RBAC grants it: $(@($granted | ForEach-Object { $_.AllowedResourceScope }) -join ', ')"
    }
    elseif ($denied) {
        Add-Finding $Address 'REFUSES' "an application access policy denies it: $(@($policies | ForEach-Object { "$($_.AccessRight) $($_.ScopeName)" }) -join '; ')" 'topic access-policy, or rbac'
    }
    else {
        Add-Finding $Address 'look' "RBAC grants nothing, and $($policies.Count) policies deny nothing: it depends on full_access_as_app in Entra (-Graph)"
    }
}

function Test-Entra {
    Start-GraphSession @('Application.Read.All')
    $exchange = Get-MgServicePrincipal -Filter "appId eq '00000002-0000-0ff1-ce00-000000000000'" -ErrorAction Stop | Select-Object -First 1
    $principal = Get-MgServicePrincipal -Filter "appId eq '$AppId'" -ErrorAction Stop | Select-Object -First 1
    if ($null -eq $principal) {
        Add-Finding 'Entra' 'REFUSES' "there is no enterprise application with the id $AppId in this tenant" 'topic app'
        return
    }
    if (-not $principal.AccountEnabled) {
        Add-Finding 'Entra' 'REFUSES' 'the enterprise application is switched off' 'Enterprise applications > Properties > Enabled for users to sign in'
    }
    $roles = @(Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $principal.Id -All -ErrorAction Stop |
            Where-Object { $_.ResourceId -eq $exchange.Id -and $_.AppRoleId -eq 'dc890d15-9560-4a4c-9b7f-a736ec74ec40' })
    if ($roles.Count -gt 0) {
        Add-Finding 'Entra' 'ok' 'full_access_as_app is granted: every mailbox, as far as no policy denies it'
    }
    else {
        Add-Finding 'Entra' 'look' 'full_access_as_app is not granted: only mailboxes that RBAC grants can be reached' 'topic app, or rbac'
    }
}

Start-ExchangeSession
$organization = Get-OrganizationConfig -ErrorAction Stop
Test-Switch 'organization' $organization 'topic allow-list (or an administrator turned EWS off on purpose)'
Test-Thing 'organization' 'the allow list' { Test-AllowList $organization }
Test-UserAgent 'organization' $organization
foreach ($address in $Mailboxes) {
    Test-Thing $address 'the recipient' { Test-Mailbox $address }
    Test-Thing $address 'the client access settings' {
        $settings = Get-CASMailbox -Identity $address -ErrorAction Stop
        Test-Switch $address $settings 'topic allow-list with this mailbox, or Set-CASMailbox -EwsEnabled $true'
        Test-UserAgent $address $settings
    }
    Test-Thing $address 'the license' { Test-License $address }
    if ($SignIn -eq 'delegated' -or -not $Impersonation) {
        Test-Thing $address 'the rights of the service user' { Test-Delegate $address }
    }
    else {
        Test-Thing $address 'the policies' { Test-Scopes $address }
    }
}
if ($Graph -and $SignIn -ne 'delegated') {
    Test-Thing 'Entra' 'the app' { Test-Entra }
}
Show-Findings
