# roomsync setup powershell delegate
#
# Gives the service user the right Editor on the calendar, the deleted items and the drafts of each mailbox: what ROOMS'
# guide calls Delegated Access (ExchangeUseImpersonation=false, --impersonation=false).
#
# It changes: the permissions of one user on three folders of each mailbox. A right that is as good or better stays.
# It needs:   a service user with a mailbox; the role Exchange Administrator (Organization Management, or Mail Recipients);
#             for Exchange Online: Install-Module ExchangeOnlineManagement.
#
# The folders' names depend on the language of the mailbox ("Calendar", "Kalender"); the script asks Exchange for them.
# A mailbox that nobody has opened yet may still have its names in English and change them later; rights stay with a folder.
#
# Recoverable Items, which the guide leaves open: it lies outside the part of a mailbox that folder permissions are made
# for, and no cmdlet of Exchange is documented to give a single right there; only Full Access on the whole mailbox opens it.
# roomsync does not read or write it, so no right on it is given here.

#requires: exchange
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only shows what is there and what it would do.
    [switch]$Apply,
    # The account to sign in to Exchange Online with; asked for when absent.
    [string]$Administrator
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId ServiceUser Mailboxes

#part: step
#part: connect
#part: folder

$enough = @('Editor', 'PublishingEditor', 'Owner')
Start-ExchangeSession
try {
    Get-Mailbox -Identity $ServiceUser -ErrorAction Stop | Out-Null
}
catch {
    throw "The service user $ServiceUser has no mailbox here, and a delegate needs one: $($_.Exception.Message)"
}

foreach ($address in $Mailboxes) {
    try {
        foreach ($type in 'Calendar', 'DeletedItems', 'Drafts') {
            $folder = Find-Folder $address $type
            $rights = @(Get-Rights $folder)
            if (@($rights | Where-Object { $enough -contains $_ }).Count -gt 0) {
                Write-Fine $folder "$ServiceUser is $($rights -join ', ')"
            }
            elseif ($rights.Count -gt 0) {
                Invoke-Step $folder "make $ServiceUser Editor; now: $($rights -join ', ')" {
                    Set-MailboxFolderPermission -Identity $folder -User $ServiceUser -AccessRights Editor -ErrorAction Stop
                }
            }
            else {
                Invoke-Step $folder "make $ServiceUser Editor; now: nothing" {
                    Add-MailboxFolderPermission -Identity $folder -User $ServiceUser -AccessRights Editor -ErrorAction Stop
                }
            }
        }
    }
    catch {
        Add-Failure $address $_.Exception.Message
    }
}
Complete-Script
