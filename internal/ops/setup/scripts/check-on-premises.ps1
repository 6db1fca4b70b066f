# roomsync setup powershell check (Exchange Server)
#
# Looks at everything in Exchange Server that can make EWS refuse roomsync a mailbox, and says which of it does: EwsEnabled,
# the lists of user agents, the impersonation role or the service user's rights, the ways to sign in.
#
# It changes: nothing.
# It needs:   the Exchange Management Shell; a role that may look, such as View-Only Organization Management.

[CmdletBinding()]
param()
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: SignIn ServiceUser Impersonation UserAgent Mailboxes

#part: connect
#part: finding
#part: setting
#part: folder

function Test-Mailbox {
    param([string]$Address)

    $recipient = Get-Recipient -Identity $Address -ErrorAction Stop
    if ([string]$recipient.RecipientType -ne 'UserMailbox') {
        Add-Finding $Address 'REFUSES' "is a $($recipient.RecipientTypeDetails), not a mailbox of this organization" 'a mailbox that moved to Exchange Online needs another mode; anything else is no calendar'
    }
    elseif ([string]$recipient.PrimarySmtpAddress -ne $Address) {
        Add-Finding $Address 'REFUSES' "is another address of $($recipient.PrimarySmtpAddress)" 'put the primary address into the list of mailboxes'
    }
    else {
        Add-Finding $Address 'ok' "$($recipient.RecipientTypeDetails)"
    }
}

# Test-Impersonation asks Exchange who may impersonate this mailbox, through groups as well.
function Test-Impersonation {
    param([string]$Address)

    $user = Get-Recipient -Identity $ServiceUser -ErrorAction SilentlyContinue
    $names = @($ServiceUser, $ServiceUser.Split('\')[-1])
    if ($null -ne $user) {
        $names += @($user.Name, $user.Alias)
    }
    $may = @(Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -WritableRecipient $Address -GetEffectiveUsers -ErrorAction Stop |
            Where-Object { $names -contains $_.EffectiveUserName })
    if ($may.Count -gt 0) {
        Add-Finding $Address 'ok' "$ServiceUser may impersonate it ($(@($may | ForEach-Object { $_.Name }) -join ', '))"
    }
    else {
        Add-Finding $Address 'REFUSES' "$ServiceUser has no ApplicationImpersonation for it" 'topic on-premises'
    }
}

function Test-Directories {
    foreach ($directory in @(Get-WebServicesVirtualDirectory -ADPropertiesOnly -ErrorAction Stop)) {
        $ways = @()
        if ($directory.BasicAuthentication) {
            $ways += 'basic'
        }
        if ($directory.WindowsAuthentication) {
            $ways += 'ntlm'
        }
        if ($ways -contains $SignIn) {
            Add-Finding ([string]$directory.Identity) 'ok' "offers $($ways -join ', ')"
        }
        else {
            Add-Finding ([string]$directory.Identity) 'look' "offers $($ways -join ', '), but roomsync signs in by $SignIn" 'Set-WebServicesVirtualDirectory, or --auth'
        }
    }
}

Start-ExchangeSession
$organization = Get-OrganizationConfig -ErrorAction Stop
Test-Switch 'organization' $organization 'Set-OrganizationConfig -EwsEnabled $true'
Test-UserAgent 'organization' $organization
Test-Thing 'virtual directories' 'the ways to sign in' { Test-Directories }
foreach ($address in $Mailboxes) {
    Test-Thing $address 'the recipient' { Test-Mailbox $address }
    Test-Thing $address 'the client access settings' {
        $settings = Get-CASMailbox -Identity $address -ErrorAction Stop
        Test-Switch $address $settings 'Set-CASMailbox -EwsEnabled $true'
        Test-UserAgent $address $settings
    }
    if ($Impersonation) {
        Test-Thing $address 'the impersonation' { Test-Impersonation $address }
    }
    else {
        Test-Thing $address 'the rights of the service user' { Test-Delegate $address }
    }
}
Test-Thing $ServiceUser 'the throttling policy' {
    Add-Finding $ServiceUser 'ok' "throttling policy: $(Format-Setting (Get-ThrottlingPolicyAssociation -Identity $ServiceUser -ErrorAction Stop).ThrottlingPolicyId)"
}
Show-Findings
