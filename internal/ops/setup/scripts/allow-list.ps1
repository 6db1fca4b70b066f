# roomsync setup powershell allow-list
#
# Keeps EWS open for roomsync while Microsoft switches it off in Exchange Online (since 2026-10-01 tenant by tenant, on
# 2027-04-01 for good): the app on the organization's list EwsAllowedAppIDs, EwsEnabled True for the organization and for
# the mailboxes, and roomsync's user agent on the older list where that is enforced.
#
# It changes: settings of the whole organization (EwsAllowedAppIDs, EwsEnabled, EwsAllowList), and EwsEnabled of mailboxes.
# It needs:   Install-Module ExchangeOnlineManagement; the role Exchange Administrator (Organization Management).
#
# Exchange knows no "add" for EwsAllowedAppIDs: a write replaces the whole list. The script reads it, prints it (keep that:
# it is the way back) and writes it with one more entry.
# With EwsEnabled True every app that is NOT on the list loses EWS: backup, migration, door displays, Apple Mail. Microsoft
# 365 admin center > Reports > Usage > Exchange > EWS shows who calls. When the list is empty, this script therefore wants to
# be told of them: -OtherAppIds, or -NoOtherApps when there are none.
# EwsEnabled acts after about an hour, EwsAllowedAppIDs after up to 24 hours.

#requires: exchange
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply,
    # The account to sign in with; asked for when absent.
    [string]$Administrator,
    # Application ids of other programs that go on using EWS.
    [string[]]$OtherAppIds = @(),
    # There is no other program that uses EWS.
    [switch]$NoOtherApps
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId AppId UserAgentPattern UserAgent Mailboxes

#part: step
#part: connect
#part: allow-list
#part: setting

Start-ExchangeSession
$organization = Get-OrganizationConfig -ErrorAction Stop
$before = @(Get-AllowedAppIds)
Write-Host "EwsEnabled of the organization: $(Format-Setting $organization.EwsEnabled)"
Write-Host "EwsAllowedAppIDs before: $($before -join ',')"

$add = @()
foreach ($id in @($AppId) + $OtherAppIds) {
    $parsed = [guid]::Empty
    if (-not [guid]::TryParse($id, [ref]$parsed)) {
        throw "'$id' is no application id."
    }
    if ($before -notcontains $parsed.ToString()) {
        $add += $parsed.ToString()
    }
}
if ($add.Count -eq 0) {
    Write-Fine $AppId 'the app is on the list'
}
elseif ($before.Count -eq 0 -and $OtherAppIds.Count -eq 0 -and -not $NoOtherApps) {
    throw 'The list is empty. With roomsync alone on it every other program loses EWS: name them by -OtherAppIds, or say -NoOtherApps.'
}
else {
    $after = @($before + $add) -join ','
    Invoke-Step 'EwsAllowedAppIDs' "set to $after" {
        Set-OrganizationConfig -EwsAllowedAppIDs $after -ErrorAction Stop
        $now = @(Get-AllowedAppIds)
        foreach ($id in @($before + $add)) {
            if ($now -notcontains $id) {
                throw "$id is not on the list after the write: put back what stands above."
            }
        }
    }
}

if ($organization.EwsEnabled -eq $true) {
    Write-Fine 'EwsEnabled' 'EWS is on for the organization'
}
else {
    Invoke-Step 'EwsEnabled' "turn EWS on for the organization; now: $(Format-Setting $organization.EwsEnabled)" {
        Set-OrganizationConfig -EwsEnabled $true -ErrorAction Stop
    }
}

# The older lists go by user agent, and by them roomsync is "roomsync/<version>". They bind Graph and REST too.
$policy = [string]$organization.EwsApplicationAccessPolicy
if ($policy -eq 'EnforceAllowList') {
    if (@($organization.EwsAllowList | Where-Object { $UserAgent -like $_ }).Count -gt 0) {
        Write-Fine 'EwsAllowList' 'the user agent is allowed'
    }
    else {
        Invoke-Step 'EwsAllowList' "add $UserAgentPattern" {
            Set-OrganizationConfig -EwsApplicationAccessPolicy EnforceAllowList -EwsAllowList @{ Add = $UserAgentPattern } -ErrorAction Stop
        }
    }
}
elseif ($policy -eq 'EnforceBlockList' -and @($organization.EwsBlockList | Where-Object { $UserAgent -like $_ }).Count -gt 0) {
    Add-Failure 'EwsBlockList' "blocks $UserAgent; this script takes nothing off a block list"
}

foreach ($address in $Mailboxes) {
    try {
        $mailbox = Get-CASMailbox -Identity $address -ErrorAction Stop
        if ($mailbox.EwsEnabled -ne $false) {
            Write-Fine $address "EWS is on for the mailbox ($(Format-Setting $mailbox.EwsEnabled))"
            continue
        }
        Invoke-Step $address 'turn EWS on for the mailbox' {
            Set-CASMailbox -Identity $address -EwsEnabled $true -ErrorAction Stop
        }
    }
    catch {
        Add-Failure $address $_.Exception.Message
    }
}
Complete-Script
