# roomsync setup powershell delegate --undo
#
# Takes back the service user's rights on the calendar, the deleted items and the drafts of each mailbox, whichever they are.
#
# It changes: the permissions of one user on three folders of each mailbox.
# It needs:   the role Exchange Administrator (Organization Management, or Mail Recipients); for Exchange Online:
#             Install-Module ExchangeOnlineManagement.

#requires: exchange
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
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

Start-ExchangeSession
foreach ($address in $Mailboxes) {
    try {
        foreach ($type in 'Calendar', 'DeletedItems', 'Drafts') {
            $folder = Find-Folder $address $type
            $rights = @(Get-Rights $folder)
            if ($rights.Count -eq 0) {
                Write-Fine $folder "$ServiceUser has no right"
                continue
            }
            Invoke-Step $folder "take back from ${ServiceUser}: $($rights -join ', ')" {
                Remove-MailboxFolderPermission -Identity $folder -User $ServiceUser -Confirm:$false -ErrorAction Stop
            }
        }
    }
    catch {
        Add-Failure $address $_.Exception.Message
    }
}
Complete-Script
